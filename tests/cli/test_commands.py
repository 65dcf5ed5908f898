"""The commands from end to end, on small questions."""

import csv
import re
from pathlib import Path

import pytest

from plan3d.cli.main import run
from plan3d.planner.validation.runs import PUBLISHED
from plan3d.simulator.result import EstimateTable
from tests.cli.answers import Capture, parsed, printed

SMALL = ["--model", "gpt125m", "--gpus", "8"]


def test_a_search_answers_in_its_first_lines(capsys: Capture) -> None:
    lines = printed(capsys, "search", *SMALL).splitlines()
    assert lines[0].startswith("gpt125m on 8 x ")
    assert lines[1].startswith("Best: tp")
    assert re.search(r"s \(.*-.* m?s in 90 %\) per step, MFU", lines[2])
    assert " likely to run out of memory (" in lines[3]
    assert any("proven best of" in line for line in lines[4:7])


def test_a_search_as_json(capsys: Capture) -> None:
    found = parsed(capsys, "search", *SMALL, "--top", "3", "--tokens", "1B", "--price", "2")
    assert found["job"]["gpus"] == 8
    assert 1 <= len(found["plans"]) <= 3
    for plan in found["plans"]:
        assert plan["fits"]
        assert sum(plan["time"].values()) == pytest.approx(plan["step_time_s"])
        assert sum(plan["memory"].values()) == pytest.approx(plan["memory_bytes"])
        cost = plan["training"]
        assert cost["cost_usd"] == pytest.approx(2 * cost["gpu_hours"])
    assert [plan["rank"] for plan in found["plans"]] == list(range(1, len(found["plans"]) + 1))
    assert found["certificate"]["proven"]


def test_the_same_layout_is_estimated_alike(capsys: Capture) -> None:
    best = parsed(capsys, "search", *SMALL)["plans"][0]
    again = parsed(capsys, "estimate", *SMALL, "--layout", best["layout_option"])["plans"][0]
    assert again["layout"] == best["layout"]
    assert again["step_time_s"] == best["step_time_s"]
    assert again["memory_bytes"] == best["memory_bytes"]


def test_constraints_are_kept(capsys: Capture) -> None:
    args = ("--fix", "tp=2", "--limit", "pp<=2", "--framework", "torchtitan")
    for plan in parsed(capsys, "search", *SMALL, *args)["plans"]:
        assert plan["layout"]["tp"] == 2
        assert plan["layout"]["pp"] <= 2


def test_textbook(capsys: Capture) -> None:
    found = parsed(capsys, "search", *SMALL, "--fidelity", "textbook")
    assert found["job"]["fidelity"] == "textbook"


def test_files_hold_the_same_answer(capsys: Capture, tmp_path: Path) -> None:
    table, report = tmp_path / "plans.csv", tmp_path / "plan.md"
    found = parsed(capsys, "search", *SMALL, "--csv", str(table), "--report", str(report))
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["step_time_s"]) for row in rows] == [
        plan["step_time_s"] for plan in found["plans"]
    ]
    assert {f"time.{name}" for name in EstimateTable.TIME} <= set(rows[0])
    assert report.read_text().startswith("# plan3d\n\n- gpt125m on 8 x ")
    assert sorted(tmp_path.iterdir()) == [report, table]


def test_a_layout_that_does_not_fit(capsys: Capture) -> None:
    args = ("estimate", "--model", "gpt175b", "--gpus", "8", "--layout", "dp=8")
    found = parsed(capsys, *args, status=3)
    assert found["plans"][0]["fits"] is False
    assert found["infeasible"] == {"memory": 1}
    assert "does NOT fit" in printed(capsys, *args, status=3)


def test_a_model_that_fits_nowhere(capsys: Capture, tmp_path: Path) -> None:
    table = tmp_path / "plans.csv"
    args = ("search", "--model", "gpt175b", "--gpus", "1", "--csv", str(table))
    found = parsed(capsys, *args, status=3)
    assert found["plans"] == []
    assert found["advice"]
    assert run([*args, "--force"]) == 3
    shown = capsys.readouterr()
    assert "Nothing fits" in shown.out
    assert shown.err.startswith("plan3d: no layout can be used")


def test_silent_layer_loss_is_refused_by_name(capsys: Capture) -> None:
    model = "h=8192,l=80,a=64,v=32000,s=2048"
    args = ["--model", model, "--gpus", "128", "--layout", "tp=8,pp=16,vpp=2"]
    assert run(["estimate", *args, "--global-batch", "64"]) == 2
    error = capsys.readouterr().err
    assert "lost_layers" in error
    assert "64 of the 80 layers would train" in error


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--model", "gpt175"], "did you mean"),
        (["--model", "missing.json"], "missing.json"),
        (["--hardware", "dgx-h1000"], "did you mean"),
        (["--hardware", "missing.toml"], "missing.toml: no such file"),
        (["--precision", "bf17"], "no precision 'bf17'; did you mean bf16"),
        (["--optimizer", "adamm"], "did you mean adam"),
        (["--framework", "megaton"], "did you mean megatron"),
        (["--objective", "tim"], "did you mean time"),
        (["--fidelity", "text"], "did you mean textbook"),
        (["--fix", "tq=8"], "did you mean tp"),
        (["--limit", "pp=8"], "write it like pp<=16"),
        (["--csv", "/missing/plans.csv"], "there is no directory /missing"),
        (["--tokens", "many"], "such as 300B"),
        (["--price", "-1"], "not a price"),
        (["--top", "0"], "'0' is not a whole number"),
    ],
)
def test_bad_input(capsys: Capture, args: list[str], message: str) -> None:
    assert run(["search", *SMALL, *args]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert "Traceback" not in shown.err


def test_models(capsys: Capture) -> None:
    assert "gpt175b" in printed(capsys, "models")
    assert "layers" in printed(capsys, "models", "show", "gpt175b")
    found = parsed(capsys, "models", "show", "gpt175b")
    assert (found["model"]["layers"], found["seq"], found["global_batch"]) == (96, 2048, 1536)
    assert {"gpt175b", "llama-7b"} <= {model["name"] for model in parsed(capsys, "models")}


def test_hardware(capsys: Capture) -> None:
    assert "dgx-a100-80g" in printed(capsys, "hardware")
    assert "dgx-a100-80g" in parsed(capsys, "hardware")
    assert "data sheet" in printed(capsys, "hardware", "show", "dgx-a100-80g")
    found = parsed(capsys, "hardware", "show", "dgx-a100-80g")
    assert {"path", "value", "mark", "source"} == set(found["values"][0])


def test_unknown_names_to_show(capsys: Capture) -> None:
    assert run(["models", "show", "gpt175"]) == 2
    assert run(["hardware", "show", "dgx-h1000"]) == 2
    assert capsys.readouterr().err.count("did you mean") == 2


def test_validate(capsys: Capture, tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    found = parsed(capsys, "validate", "--suite", "korth22", "--csv", str(table))
    assert set(found) >= {"time", "ranking", "memory", "oom", "skipped", "scored"}
    assert set(found["time"]["suites"]) == {"korth22"}
    with table.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == found["scored"]
    lines = printed(capsys, "validate", "--suite", "korth22", "--by", "suite").splitlines()
    assert "step time, in-sample: mean error" in lines[1]
    assert any(line.startswith("korth22") for line in lines)


def test_validate_on_other_sources(capsys: Capture) -> None:
    found = parsed(capsys, "validate", "--runs", "elsewhere", "--suite", "megascale")
    assert (set(found["time"]["suites"]), found["scored"]) == ({"megascale"}, 8)
    named = parsed(capsys, "validate", "--runs", "published", "--suite", "korth22")
    assert named == parsed(capsys, "validate", "--suite", "korth22")
    lines = printed(capsys, "validate", "--runs", "elsewhere", "--suite", "megascale").splitlines()
    assert lines[1].startswith("step time: mean error")


def test_a_file_without_a_run_to_score_is_refused(capsys: Capture, tmp_path: Path) -> None:
    head, first = PUBLISHED.read_text(encoding="utf-8").splitlines()[:2]
    table = tmp_path / "runs.csv"
    table.write_text(f"{head}\n{first.replace('a100-80g-sxm', 'abacus')}\n")
    assert run(["validate", "--runs", str(table), "--json"]) == 2
    out, err = capsys.readouterr()
    assert (out, "no run can be scored: unknown GPU abacus (1)" in err) == ("", True)


def test_unseen_scores_say_whose_they_are(capsys: Capture, tmp_path: Path) -> None:
    """Beside the scores of a file that has one published run, and of published runs alone."""
    head, first, second = PUBLISHED.read_text(encoding="utf-8").splitlines()[:3]
    table = tmp_path / "runs.csv"
    table.write_text("\n".join([head, first, f"mine-{second}", ""]))
    lines = printed(capsys, "validate", "--runs", str(table)).splitlines()
    assert lines[1].startswith("step time: mean error")
    whose = "the 1 published runs among them, each suite with constants fitted to the others"
    assert lines[2].startswith(f"step time, {whose}: mean error")
    lines = printed(capsys, "validate", "--suite", "korth22").splitlines()
    assert lines[2].startswith("step time, each suite with constants fitted to the others")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--runs", "missing.csv"], "missing.csv"),
        (["--runs", "recordet"], "did you mean recorded"),
        (["--runs", "elsewhere", "--suite", "korth22"], "korth22"),
        (["--suite", "korth"], "did you mean korth22"),
        (["--by", "suit"], "did you mean suite"),
    ],
)
def test_bad_validation(capsys: Capture, args: list[str], message: str) -> None:
    assert run(["validate", *args]) == 2
    assert message in capsys.readouterr().err


def test_rows_that_are_left_out_are_named(capsys: Capture, tmp_path: Path) -> None:
    """Five of them, unless all are asked for; the rest is scored."""
    head = "id,suite,year,framework,layers,hidden,heads,seq,gpu,gpus,tp,pp,global_batch,iter_s"
    good = "a,2022,Megatron-LM,48,6144,64,2048,a100-80g-sxm,8,8,1,4,1.4"
    bad = [f"{i},{good.replace('1.4', 'nan')}" for i in range(6)]
    odd = f"odd,{good.replace('8,8,1', '8,7,1')}"
    table = tmp_path / "runs.csv"
    table.write_text("\n".join([head, f"good,{good}", *bad, odd, ""]))
    found = parsed(capsys, "validate", "--runs", str(table))
    assert (found["scored"], sum(found["skipped"].values())) == (1, 7)
    assert run(["validate", "--runs", str(table)]) == 0
    some = capsys.readouterr().err
    assert "row 3: column iter_s is 'nan'" in some
    assert "and 2 more rows" in some
    assert "run odd" not in some
    assert run(["validate", "--runs", str(table), "--verbose"]) == 0
    assert "columns tp 7" in capsys.readouterr().err


@pytest.mark.parametrize(("framework", "said"), [("nanotron", True), ("megatron", False)])
def test_what_an_estimate_of_a_framework_takes_for_granted(
    capsys: Capture, framework: str, said: bool
) -> None:
    words = ("estimate", "--model", "gpt13b", "--gpus", "16", "--layout", "tp=8")
    found = parsed(capsys, *words, "--framework", framework)["assumed"]
    assert any("hosts that keep up" in text for text in found) is said
