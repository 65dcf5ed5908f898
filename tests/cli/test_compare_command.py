"""plan3d compare."""

import json
from pathlib import Path

import pytest

from tests.cli.answers import Capture, parsed, printed, refused

JOB = ["--model", "gpt125m", "--gpus", "8"]


def test_two_layouts(capsys: Capture) -> None:
    found = parsed(capsys, "compare", "dp=8", "tp=2,recompute=full", *JOB)
    a, b = found["compared"]
    assert [a["name"], b["name"]] == ["A", "B"]
    (pair,) = found["differences"]
    change_s = b["plan"]["step_time_s"] - a["plan"]["step_time_s"]
    assert sum(term["change"] for term in pair["time"]) == pytest.approx(change_s)
    more = b["plan"]["memory_bytes"] - a["plan"]["memory_bytes"]
    assert sum(term["change"] for term in pair["memory"]) == pytest.approx(more)
    recompute = next(term for term in pair["time"] if term["term"] == "recompute_s")
    assert recompute["cause"] == "none -> recompute full"


def test_the_first_lines_say_why(capsys: Capture) -> None:
    lines = printed(capsys, "compare", "dp=8", "tp=4", *JOB).splitlines()
    assert lines[0].startswith("A: gpt125m on 8 x ")
    assert lines[2].startswith("B against A: +")
    assert any("4 ranks in a node" in line for line in lines[3:6])


def test_plans_of_a_file(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "plans.json"
    path.write_text(printed(capsys, "search", *JOB, "--top", "3", "--json"), encoding="utf-8")
    whole = json.loads(path.read_text(encoding="utf-8"))
    told = whole["plans"]
    found = parsed(capsys, "compare", f"{path}#1", f"{path}#3")
    assert [one["plan"]["layout_option"] for one in found["compared"]] == [
        told[0]["layout_option"], told[2]["layout_option"],
    ]  # fmt: skip
    assert found["compared"][1]["plan"]["step_time_s"] == pytest.approx(told[2]["step_time_s"])
    assert all(one["note"] is None for one in found["compared"])
    told[0]["step_time_s"] *= 2
    path.write_text(json.dumps(whole), encoding="utf-8")
    moved = parsed(capsys, "compare", str(path), f"{path}#3")
    assert "computed again it is" in moved["compared"][0]["note"]


def test_plans_of_a_file_say_everything(capsys: Capture, tmp_path: Path) -> None:
    """A model without a name is compared from its shape; rent and tokens may still be asked."""
    path = tmp_path / "plans.json"
    shape = ["--model", "h=64,l=12,a=8", "--gpus", "8", "--framework", "torchtitan"]
    path.write_text(printed(capsys, "search", *shape, "--json"), encoding="utf-8")
    more = ["--tokens", "1B", "--price", "2"]
    found = parsed(capsys, "compare", f"{path}#1", f"{path}#2", *more)["compared"]
    told = json.loads(path.read_text(encoding="utf-8"))
    assert [one["job"] for one in found] == [told["job"]] * 2
    assert [one["note"] for one in found] == [None, None]
    run = found[0]["plan"]["training"]
    assert run["cost_usd"] == pytest.approx(2 * run["gpu_hours"])
    grounds = printed(capsys, "compare", f"{path}#1", f"{path}#2")
    assert f"- {path}: rent 3.00 USD per GPU hour: dgx-h100" in grounds
    other = parsed(capsys, "compare", f"{path}#1", f"{path}#2", "--hardware", "dgx-h200")
    assert {one["job"]["hardware"] for one in other["compared"]} == {"dgx-h200"}


def test_a_file_beside_a_layout(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "plans.json"
    path.write_text(printed(capsys, "estimate", *JOB, "--layout", "tp=2", "--json"))
    found = parsed(capsys, "compare", str(path), "tp=4", *JOB, "--seq", "1024")["compared"]
    assert [one["job"]["seq"] for one in found] == [2048, 1024]


def test_hardware_with_the_best_of_each(capsys: Capture) -> None:
    both = ["--hardware", "dgx-a100-80g", "--hardware", "dgx-h100"]
    found = parsed(capsys, "compare", *JOB, *both)
    assert [one["job"]["hardware"] for one in found["compared"]] == ["dgx-a100-80g", "dgx-h100"]
    assert found["differences"][0]["gain"] > 0.5
    same = parsed(capsys, "compare", "dp=8", *JOB, *both)["compared"]
    assert same[0]["plan"]["layout"] == same[1]["plan"]["layout"]


def test_three_layouts_are_each_compared_with_the_first(capsys: Capture) -> None:
    found = parsed(capsys, "compare", "dp=8", "tp=2", "tp=4", *JOB)
    assert [pair["other"] for pair in found["differences"]] == ["B", "C"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["dp=8", *JOB], "give two or more layouts or plans"),
        (["dp=8", "tp=2", *JOB, "--hardware", "dgx-h100", "--hardware", "dgx-a100-80g"],
         "give two or more"),
        (["dp=8", "tp=2"], "--model and --gpus must be given"),
        (["dp=8", "tp=3", *JOB], "cannot run as"),
        (["nothing.json#1", "nothing.json#2"], "there is no file nothing.json"),
        (["a.json", "b.json", "--seq", "4096", "--gpus", "8"], "say what --gpus, --seq would"),
        (["a.json", "b.json", "--framework", "nemo"], "say what --framework would"),
        (["tp=2", "b.json", "--gpus", "8"], "--model must be given"),
    ],
)  # fmt: skip
def test_wrong_input(capsys: Capture, args: list[str], message: str) -> None:
    assert message in refused(capsys, "compare", *args)


@pytest.mark.parametrize(
    "content",
    [
        "{}", "[]", "{", "[" * 100_000, '{"plans": [], "job": {"model": "x", "software": "y"}}',
        '{"plans": [{"rank": 1}], "job": {"model": "gpt125m"}}',
        '{"plans": [{"rank": 1, "layout_option": "dp=8", "step_time_s": 0}], "job": {}}',
        '{"plans": [{"rank": 1, "layout_option": "dp=8", "step_time_s": 1}], "job": {"gpus": "8"}}',
    ],
)  # fmt: skip
def test_a_file_without_plans_is_refused(capsys: Capture, tmp_path: Path, content: str) -> None:
    path = tmp_path / "plans.json"
    path.write_text(content, encoding="utf-8")
    assert str(path) in refused(capsys, "compare", f"{path}#1", f"{path}#2")
