"""plan3d tune: with a stand-in launcher, and with a real program on two CPU processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import pytest

import plan3d
from plan3d.cli.main import run
from plan3d.hardware_profiles import load, load_path
from plan3d.planner.constraints import parse_fix
from plan3d.planner.searchers.grid import grid_of
from plan3d.planner.validation.site import SCALARS
from plan3d.simulator.estimate import estimate_table

TUNING = Path(__file__).parents[1] / "planner" / "tuning"
LAUNCHER = f"{sys.executable} -S -E {TUNING / 'launcher.py'}"
GAPS = "--tp {tp} --pp {pp} --micro-batch {micro_batch}"
JOB = ["--model", "llama-3-8b", "--gpus", "16", "--global-batch", "64"]
FIXED = ["--fix", "zero=1", "--fix", "recompute=none", "--fix", "vpp=1", "--fix", "cp=1"]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tune(*args: str, command: str = f"{LAUNCHER} {GAPS}", status: int = 0) -> None:
    assert run(["tune", *JOB, *FIXED, "--command", command, *args]) == status


def test_the_best_measured_layout_is_the_answer(capsys: Capture) -> None:
    tune("--trials", "8")
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "llama-3-8b on 16 x h100-80g-sxm: 8 attempts: 8 ok"
    assert lines[1].startswith("Best measured: tp")
    assert "faster than the model's own choice" in lines[2]
    assert lines[3].startswith("Its command: ")
    assert len(err.splitlines()) == 8
    assert Path("tune.jsonl").exists()
    assert len(list(Path("tune.logs").iterdir())) == 8


def test_where_nothing_ran_that_is_json_too(capsys: Capture) -> None:
    tune("--trials", "2", "--first", "2", "--json", command="false {tp}", status=3)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["best"] is None
    assert [attempt["status"] for attempt in found["attempts"]] == ["failed", "failed"]


def test_a_profile_of_somebody_else_is_not_replaced(capsys: Capture) -> None:
    Path("mine.toml").write_text('base = "dgx-h100"\n')
    tune("--trials", "1", "--out", "mine", "--hardware", "mine.toml", status=2)
    assert "mine.toml exists, and is of no record; give another --out" in capsys.readouterr().err
    assert sorted(path.name for path in Path().iterdir()) == ["mine.toml"]


def test_commands_are_not_an_answer(capsys: Capture) -> None:
    tune("--dry-run", "--json", status=2)
    assert "leave out one of them" in capsys.readouterr().err


def test_as_json_nothing_else_is_said(capsys: Capture) -> None:
    tune("--trials", "4", "--json", "--first", "2", "--seed", "3", "--out", "mine")
    out, err = capsys.readouterr()
    assert "1: tp" in err
    assert "\\r" not in err
    found: dict[str, Any] = json.loads(out)
    assert len(found["attempts"]) == 4
    assert found["best"]["time_s"] == min(a["time_s"] for a in found["attempts"])
    assert found["stopped"] == "budget"
    assert found["seed"] == 3


def test_a_second_call_goes_on_and_a_third_has_nothing_to_do(capsys: Capture) -> None:
    tune("--trials", "2")
    tune("--trials", "4")
    assert "going on from tune.jsonl: 2 attempts" in capsys.readouterr().err
    before = Path("tune.jsonl").read_bytes()
    tune("--trials", "4")
    assert Path("tune.jsonl").read_bytes() == before


def test_killed_in_the_middle_only_the_attempt_in_flight_is_lost(folder: Path) -> None:
    """A real process, killed as nobody can refuse to be; what ran stays, and it goes on."""
    slow = f"sh -c 'sleep 0.3; exec {LAUNCHER} {GAPS}'"
    words = ["tune", *JOB, *FIXED, "--command", slow, "--trials", "40"]
    root = str(Path(__file__).parents[2])
    tuning = subprocess.Popen(
        [sys.executable, "-m", "plan3d.cli", *words], env={**os.environ, "PYTHONPATH": root},
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    record = folder / "tune.jsonl"
    deadline_s = time.monotonic() + 60
    while not record.exists() or record.read_bytes().count(b"\n") < 4:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    tuning.send_signal(signal.SIGKILL)
    tuning.wait()
    kept = record.read_bytes()
    whole = kept[: kept.rindex(b"\n") + 1]
    time.sleep(1)  # the attempt in flight ends by itself
    tune("--trials", str(whole.count(b"\n") + 1))
    assert record.read_bytes().startswith(whole)
    assert record.read_bytes().count(b"\n") == whole.count(b"\n") + 2


def test_a_dry_run_prints_commands_and_runs_none(capsys: Capture) -> None:
    tune("--dry-run", "--first", "2", command="env {flags} --seq {seq}")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all("--tensor-model-parallel-size " in line for line in lines)
    assert not Path("tune.jsonl").exists()


def test_a_slow_site_ends_with_a_profile_that_predicts_it(capsys: Capture, folder: Path) -> None:
    """The launcher answers what a cluster whose kernels take 1.25 times as long would take."""
    job = plan3d.job("llama-3-8b", 16, global_batch=64)
    slow = SCALARS["kernels"](job.cluster, 1.25)
    fixes = [*FIXED[1::2], "order=tp-cp-ep-dp-pp", "schedule=1f1b"]
    grid = grid_of(job, constraints=tuple(map(parse_fix, fixes)))
    times = estimate_table(job.model, job.work, slow, job.software, grid.table).step_time_s
    known = {
        "{0.tp:g} {0.pp:g} {0.micro_batch:g} {0.sp:g} {0.shard:g}".format(grid.table.row(i)): s
        for i, s in enumerate(times.tolist())
    }
    (folder / "times.json").write_text(json.dumps(known))
    script = folder / "launch.sh"
    script.write_text(
        f"#!{sys.executable} -S\nimport json, sys\n"
        "key = ' '.join(sys.argv[1:])\n"
        "print(json.dumps({'step_time_s': json.load(open('times.json'))[key]}))\n"
    )
    script.chmod(0o755)
    tune(
        "--trials", "12", "--fix", "order=tp-cp-ep-dp-pp", "--fix", "schedule=1f1b",
        command="./launch.sh {tp} {pp} {micro_batch} {sp} {shard}",
    )  # fmt: skip
    assert "corrected profile: --hardware tune.toml" in capsys.readouterr().out
    found = load_path("tune.toml")
    base = load("dgx-h100")
    assert found.gpu.gemm.efficiency == pytest.approx(base.gpu.gemm.efficiency / 1.25, rel=0.02)
    assert found.node == base.node
    # and a profile over that profile: the corrections of a corrected one
    Path("tune.jsonl").unlink()
    tune(
        "--trials", "12", "--fix", "order=tp-cp-ep-dp-pp", "--fix", "schedule=1f1b",
        "--hardware", "tune.toml", "--out", "again",
        command="./launch.sh {tp} {pp} {micro_batch} {sp} {shard}",
    )  # fmt: skip
    assert "do not speak against" in capsys.readouterr().out


def test_a_real_program_is_really_tuned(capsys: Capture) -> None:
    """A GPT on two CPU processes (gloo): data-parallel or pipelined, whichever is faster."""
    pytest.importorskip("torch")
    program = f"{sys.executable} {TUNING / 'tiny_gpt.py'}"
    command = f"{program} --pp {{pp}} --dp {{dp}} --micro-batch {{micro_batch}} --global-batch 8"
    shape = "h=64,l=4,a=4,v=512"
    words = ["--model", shape, "--gpus", "2", "--seq", "64", "--global-batch", "8"]
    fixes = [
        "tp=1",
        "cp=1",
        "zero=0",
        "recompute=none",
        "vpp=1",
        "schedule=1f1b",
        "order=tp-cp-ep-dp-pp",
    ]
    fixed = [word for text in fixes for word in ("--fix", text)]
    assert run(["tune", *words, *fixed, "--trials", "4", "--json", "--command", command]) == 0
    found = json.loads(capsys.readouterr().out)
    ran = [a for a in found["attempts"] if a["status"] == "ok"]
    assert {(a["layout"]["pp"], a["layout"]["dp"]) for a in ran} == {(1, 2), (2, 1)}
    for attempt in found["attempts"]:
        if attempt not in ran:  # torch's 1F1B refuses fewer micro-batches than stages
            assert (attempt["layout"]["pp"], attempt["layout"]["micro_batch"]) == (2, 8)
            assert "exit code 1" in attempt["message"]
    for attempt in ran:
        steps = [json.loads(line) for line in Path(attempt["log"]).read_text().splitlines()]
        # whatever the layout, it is the same model on the same sequences: it learns alike
        assert steps[0]["loss"] > steps[-1]["loss"]
        assert attempt["time_s"] == median(s["step_time_s"] for s in steps[2:])
    assert found["best"]["time_s"] == min(a["time_s"] for a in ran)


@pytest.mark.parametrize(
    ("args", "command", "message"),
    [
        ([], "./nothing {flags}", "./nothing does not exist"),
        ([], "env --tp 2", "the same for every layout"),
        ([], f"{LAUNCHER} {GAPS} --behave crash", "the first 3 attempts all failed"),
        ([], f"{LAUNCHER} {GAPS} --behave garbage", "no step time in its output"),
        (["--timeout", "1s"], f"{LAUNCHER} {GAPS} --behave hang", "no end within 1 s"),
        (["--pattern", "("], "env {flags}", "no regular expression"),
        (["--trials", "0"], "env {flags}", "whole number from 1"),
        (["--seed", "-1"], "env {flags}", "--seed"),
        (["--timeout", "soon"], "env {flags}", "is not a time"),
        (["--out", "no/where"], "env {flags}", "there is no directory"),
        (["--out", "."], "env {flags}", "not a name"),
        (["--fix", "tp=3"], "env {flags}", "legal"),
    ],
)
def test_what_cannot_work_is_said_in_one_message(
    capsys: Capture, args: list[str], command: str, message: str
) -> None:
    status = 3 if "tp=3" in args else 2
    tune(*args, command=command, status=status)
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_where_nothing_fits_the_attempts_are_shown(capsys: Capture) -> None:
    tune("--trials", "3", command=f"{LAUNCHER} {GAPS} --behave oom", status=3)
    out, err = capsys.readouterr()
    assert "3 attempts: 3 out of memory" in out
    assert "no layout ran" in err
