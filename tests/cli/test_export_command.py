"""plan3d export and plan3d import from end to end."""

import io
import json
import re
import sys
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from plan3d.cli.main import run
from plan3d.cli.plan_file import read_plan
from plan3d.planner.exports import EXPORTERS, export
from plan3d.planner.imports import READERS
from plan3d.simulator.errors import InputError

SMALL = ["--model", "llama-3-8b", "--gpus", "16"]
LAYOUT = ["--layout", "tp=2,pp=2,zero=1"]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def written() -> str:
    """What a search printed."""
    kept, sys.stdout = sys.stdout, io.StringIO()
    try:
        assert run(["search", *SMALL, "--fix", "tp=2", "--searcher", "dp", "--json"]) == 0
        return sys.stdout.getvalue()
    finally:
        sys.stdout = kept


@pytest.fixture
def plan(written: str, tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(written)
    return path


def changed(plan: Path, **values: object) -> str:
    found: dict[str, Any] = json.loads(plan.read_text())
    plan.write_text(json.dumps(found | values))
    return str(plan)


def test_a_plan_is_written_and_read_back(capsys: Capture, plan: Path) -> None:
    best = json.loads(plan.read_text())["plans"][0]
    script = plan.with_suffix(".sh")
    assert run(["export", "--plan", str(plan), "--to", "megatron", "--out", str(script)]) == 0
    assert capsys.readouterr().out == ""
    text = script.read_text()
    assert f"# {best['layout_option']}" in text
    assert "# predicted: " in text
    assert run(["import", "--from", "megatron", str(script), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["layout"] == best["layout"]
    assert (found["gpus"], found["unused"]) == (16, [])
    assert run([*found["estimate"].split()[1:], "--json"]) == 0
    again = json.loads(capsys.readouterr().out)["plans"][0]
    assert again["layout"] == best["layout"]


@pytest.mark.parametrize("name", [name for name in EXPORTERS if name != "fsdp2"])
def test_every_framework(capsys: Capture, name: str) -> None:
    zero = "zero=2" if EXPORTERS[name].framework == "torchtitan" else "zero=1"
    layout = ["--layout", f"tp=2,pp=2,{zero}"]
    assert run(["export", *SMALL, *layout, "--to", name, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["layout"]["tp"] == 2
    assert name in READERS
    assert run(["import", "--from", name, found["text"], "--gpus", "16", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["layout"] == found["layout"]


def test_what_is_lost_is_said_on_stderr(capsys: Capture) -> None:
    args = ["--layout", "tp=2,zero=3,sp=0", "--to", "torchtitan-toml"]
    assert run(["export", *SMALL, *args]) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("plan3d: torchtitan-toml has no words for sp=0")
    assert "# not expressed: sp=0" in shown.out


def test_ranks_and_exact_stages(capsys: Capture, plan: Path) -> None:
    second = json.loads(plan.read_text())["plans"][1]["layout_option"]
    assert run(["export", "--plan", str(plan), "--to", "megatron", "--rank", "2"]) == 0
    assert f"# {second}" in capsys.readouterr().out
    assert run(["export", "--plan", str(plan), "--to", "megatron", "--exact"]) == 0
    inner = json.loads(plan.read_text())["inner"]
    assert f"# {inner['layout_option'].split(',recompute')[0]}" in capsys.readouterr().out


def test_uneven_stages_of_a_plan(capsys: Capture, plan: Path) -> None:
    values = json.loads(plan.read_text())
    layers = [9, 8, 8, 7]
    values["inner"] |= {"layout_option": "tp=2,pp=4,dp=2,micro_batch=1,sp=1,zero=1,shard=2"}
    options = [kind for n in layers for kind in ("full", "full", *["none"] * (n - 2))]
    values["inner"]["runnable"] |= {"layers": layers, "recompute": options}
    path = changed(plan, inner=values["inner"])
    assert run(["export", "--plan", path, "--to", "megatron", "--exact"]) == 0
    shown = capsys.readouterr().out
    assert "--decoder-first-pipeline-num-layers 9 \\\n" in shown
    assert "--decoder-last-pipeline-num-layers 7 \\\n" in shown
    assert "--recompute-method block \\\n    --recompute-num-layers 2 \\\n" in shown


def test_a_plan_from_stdin(capsys: Capture, plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(plan.read_bytes())))
    assert run(["export", "--plan", "-", "--to", "nemo"]) == 0
    assert "def configure(recipe):" in capsys.readouterr().out


def test_a_file_is_replaced_only_when_asked(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "run.sh"
    path.write_text("mine")
    args = ["export", *SMALL, *LAYOUT, "--to", "megatron", "--out", str(path)]
    assert run(args) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert run([*args, "--force"]) == 0
    assert path.read_text().startswith("#!")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--to", "megatrn"], "did you mean megatron"),
        (["--to", "megatron", "--plan", "missing.json"], "there is no file missing.json"),
        (["--to", "megatron", "--out", "/missing/run.sh"], "there is no directory /missing"),
        (["--to", "megatron"], "give --plan FILE.json, or --model"),
        (["--to", "nanotron", *SMALL, "--layout", "zero=3"], "nanotron has no ZeRO stage 3"),
        (["--to", "megatron", *SMALL, "--layout", "tp=3"], "cannot run"),
        (["--to", "megatron", *SMALL, *LAYOUT, "--exact"], "give --plan FILE.json"),
        (["--to", "megatron", *SMALL, *LAYOUT, "--rank", "2"], "give --plan FILE.json"),
        (["--to", "megatron", "--plan", "x.json", "--exact", "--rank", "2"], "leave out --rank"),
        (["--to", "megatron", "--plan", "x.json", "--seq", "4096"], "leave out the others"),
        (["--to", "megatron", "--plan", "x.json", "--precision", "fp8"], "leave out the others"),
        (["--to", "megatron", *SMALL, *LAYOUT, "--plan", "x.json"], "leave out the others"),
    ],
)
def test_bad_exports(capsys: Capture, args: list[str], message: str) -> None:
    assert run(["export", *args]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"version": "0.0.9"}, "written by plan3d 0.0.9"),
        ({"plans": []}, "has 0 layouts"),
        ({"plans": [], "nearest": {}}, "has 0 layouts"),
        ({"plans": [], "nearest": {"rank": 1}}, "nothing fits"),
        ({"plans": [3]}, "must be a dict"),
        ({"plans": [{"layout": {"tp": 1}}]}, "too much, or not at all"),
        ({"job": {}}, "shape is missing"),
        ({"job": 7}, "job is a int"),
    ],
)
def test_a_plan_that_was_tampered_with(
    capsys: Capture, plan: Path, values: dict[str, Any], message: str
) -> None:
    assert run(["export", "--plan", changed(plan, **values), "--to", "megatron"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("tp", 16, "the attention heads do not divide|is not the number of GPUs"),
        ("tp", "two", "tp is 'two'"),
        ("schedule", "2f2b", "layout.schedule is '2f2b'"),
        ("more", 1, "layout has more"),
    ],
)
def test_a_layout_that_was_tampered_with(
    capsys: Capture, plan: Path, field: str, value: object, message: str
) -> None:
    plans = json.loads(plan.read_text())["plans"]
    plans[0]["layout"][field] = value
    assert run(["export", "--plan", changed(plan, plans=plans), "--to", "megatron"]) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    "value", [None, 0, -1, 1.5, 10**30, 10**400, inf, nan, "", "x", [], {}, True]
)
def test_nothing_in_a_plan_is_trusted(written: str, value: object) -> None:
    """Any field may be anything: it is refused, or a file comes of it."""
    plain = json.loads(written)
    plan = plain["plans"][0]
    parts = [plain, plain["job"], plain["job"]["shape"], plan, plan["layout"]]
    for part in parts:
        for field in list(part):
            kept, part[field] = part[field], value
            try:
                text = export("megatron", read_plan(json.dumps(plain)).planned(1)).text
            except InputError as error:
                text = str(error)
            assert text
            part[field] = kept


@pytest.mark.parametrize("value", [0, -1, "x", True, nan, inf, 10**400])
@pytest.mark.parametrize("field", ["step_time_s", "memory_bytes", "capacity_bytes"])
def test_figures_of_a_plan_are_figures(written: str, field: str, value: object) -> None:
    plain = json.loads(written)
    plain["plans"][0][field] = value
    with pytest.raises(InputError, match=f"{field} is .* must be a number above 0"):
        read_plan(json.dumps(plain)).planned(1)


def test_a_plan_of_a_hardware_file_asks_for_it(written: str) -> None:
    plain = json.loads(written)
    plain["job"]["hardware"] = "../mine"
    with pytest.raises(InputError, match=r"give --hardware FILE.toml"):
        read_plan(json.dumps(plain)).planned(1)
    assert read_plan(json.dumps(plain)).planned(1, "dgx-h100").job.cluster.name == "dgx-h100"


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, '{"version": 1}', "\ud800"])
def test_what_is_no_plan(capsys: Capture, tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert run(["export", "--plan", str(path), "--to", "megatron"]) == 2
    assert "plan3d: " in capsys.readouterr().err


def test_hostile_names_stay_comments(capsys: Capture, plan: Path) -> None:
    values = json.loads(plan.read_text())
    values["job"]["model"] = values["job"]["shape"]["name"] = "x\n$(touch owned); import os"
    args = ["--plan", changed(plan, job=values["job"]), "--to"]
    assert run(["export", *args, "megatron"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "owned" in line]
    assert lines
    assert all(line.startswith("# ") for line in lines)


def test_a_file_may_have_a_space_in_its_name(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "my job.yaml"
    path.write_text("parallelism: {dp: 8}")
    assert run(["import", "--from", "nanotron", str(path)]) == 0
    assert "Layout: tp=1,pp=1,dp=8" in capsys.readouterr().out
    assert run(["import", "--from", "megatron", f"{'x' * 5000} --bf16", "--gpus", "8"]) == 0


def test_the_answer_of_import(capsys: Capture) -> None:
    command = (
        "torchrun --nproc-per-node 8 t.py --tensor-model-parallel-size 8 --lr 1 --num-layers 8"
    )
    assert run(["import", "--from", "megatron", command]) == 0
    shown = capsys.readouterr().out
    assert "Layout: tp=8,pp=1,dp=1" in shown
    assert "plan3d estimate --model MODEL --gpus 8" in shown
    assert "\n  --lr 1\n" in shown


def test_the_experts_of_a_job_keep_their_own_tp(capsys: Capture) -> None:
    flags = "--tensor-model-parallel-size 8 --expert-tensor-parallel-size 1 --sequence-parallel"
    shape = "--num-layers 8 --hidden-size 1024 --num-attention-heads 8 --num-experts 8"
    command = f"torchrun --nproc-per-node 8 t.py {flags} {shape} --seq-length 1024"
    assert run(["import", "--from", "megatron", command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert run([*found["estimate"].split()[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plans"][0]["layout"] == found["layout"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--from", "megatorn", "a b"], "did you mean megatron"),
        (["--from", "megatron", "missing.sh"], "there is no file missing.sh"),
        (["--from", "megatron", "t.py --tensor-model-parallel-size 3", "--gpus", "8"], "6 or 9"),
        (["--from", "megatron", "t.py --bf16"], "give --gpus"),
        (["--from", "torchtitan", "[training]\nseq_len = 1", "--model", "gpt"], "no model 'gpt'"),
    ],
)
def test_bad_imports(capsys: Capture, args: list[str], message: str) -> None:
    assert run(["import", *args]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err


def test_a_plan_file_knows_its_job(written: str) -> None:
    job = read_plan(written).job()
    assert (job.model.name, job.gpus, job.work.seq) == ("llama-3-8b", 16, 8192)
