"""How sure an answer is, as the commands say it."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plan3d.cli.main import run
from plan3d.cli.sureness import around, chance, memory_line, of_order
from plan3d.cli.words import seconds_between
from plan3d.planner.result import Interval, Outlook, Safer, SearchResult
from plan3d.simulator.layout import Layout

SMALL = ["--model", "gpt125m", "--gpus", "8"]
ONE = ["--layout", "dp=8,micro_batch=1"]
GIB = 2.0**30
Capture = pytest.CaptureFixture[str]
SURE = Outlook(
    regime="rare", suites=8, inflation=10 / 9, step_time_s=Interval(low=0.9, high=1.25),
    memory_bytes=Interval(low=30 * GIB, high=90.04 * GIB), out_of_memory=0.347,
)  # fmt: skip


def parsed(capsys: Capture, *args: str) -> dict[str, Any]:
    assert run([*args, "--json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def test_an_interval_has_one_unit() -> None:
    assert seconds_between(0.9, 1.25) == "0.9-1.25 s"
    assert seconds_between(0.0123, 0.4567) == "12.3-457 ms"
    assert seconds_between(1.5e-6, 2e-6) == "1.5-2 us"
    assert seconds_between(987.6, 12345.6) == "988-12,346 s"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "<1 %"), (0.004, "<1 %"), (0.35, "35 %"), (0.999, ">99 %")]
)
def test_nothing_is_certain(value: float, text: str) -> None:
    assert chance(value) == text


def test_what_is_said_of_a_layout() -> None:
    assert around(SURE) == " (0.9-1.25 s in 90 %)"
    assert around(None) == ""
    assert memory_line(SURE) == (
        "35 % likely to run out of memory (30.0-90.0 GiB in 90 %); intervals of experts, context "
        "parallelism or ZeRO-3: 8 sources, too few: made 1.1 x as wide"
    )


def test_a_preference_names_what_it_cost(result: SearchResult) -> None:
    safer = Safer(faster=Layout(tp=2, dp=8), behind=0.0063, out_of_memory=0.71)
    said = list(of_order(replace(result, safer=safer, near_best=0.482)))
    assert said == [
        "Preferred for safety to tp2 pp1 dp8 mb1: 0.6 % faster, but 71 % likely to run out of "
        "memory (--no-prefer-safe)",
        "48 % likely to be within 5 % of the fastest of the 20 best plans",
    ]
    assert list(of_order(result)) == []


def test_a_best_plan_that_may_not_fit_has_a_surer_one_beside_it(result: SearchResult) -> None:
    plan = result.plans[0]
    risky = replace(plan, outlook=replace(SURE, out_of_memory=0.74))
    sure = replace(plan, outlook=SURE, behind=0.024)
    (said,) = of_order(replace(result, plans=(risky, replace(risky, behind=0.01), sure)))
    assert said.startswith("More likely to fit: ")
    assert said.endswith("2.4 % slower, 35 % likely to run out of memory")
    assert list(of_order(replace(result, plans=(sure, risky)))) == []
    assert list(of_order(replace(result, plans=(risky, risky)))) == [], "nothing surer to name"
    assert list(of_order(replace(result, plans=()))) == []


@pytest.mark.parametrize("command", [["search", *SMALL], ["estimate", *SMALL, *ONE]])
def test_json_says_how_sure(command: list[str], capsys: Capture) -> None:
    found = parsed(capsys, *command)
    for plan in found["plans"]:
        sure = plan["outlook"]
        assert set(sure) == {
            "regime", "suites", "inflation", "step_time_s", "memory_bytes", "out_of_memory"
        }  # fmt: skip
        for name in ("step_time_s", "memory_bytes"):
            assert 0 < sure[name]["low"] < sure[name]["high"]
        assert 0 <= sure["out_of_memory"] <= 1
        assert sure["inflation"] >= 1
    assert (found["near_best"] is None) == (command[0] == "estimate")
    assert "safer" in found


@pytest.mark.parametrize("command", [["search", *SMALL], ["estimate", *SMALL, *ONE]])
def test_nobody_knows_how_sure_a_textbook_is(command: list[str], capsys: Capture) -> None:
    found = parsed(capsys, *command, "--fidelity", "textbook")
    assert found["near_best"] is None
    assert all(plan["outlook"] is None for plan in found["plans"])
    run([*command, "--fidelity", "textbook"])
    assert "90 %" not in capsys.readouterr().out


def test_the_fastest_is_first_without_the_preference(capsys: Capture) -> None:
    found = parsed(capsys, "search", *SMALL, "--no-prefer-safe")
    assert found["safer"] is None
    assert found["plans"][0]["behind"] == min(plan["behind"] for plan in found["plans"])


def test_csv_has_the_ends_of_the_intervals(tmp_path: Path) -> None:
    out = tmp_path / "plans.csv"
    assert run(["search", *SMALL, "--top", "2", "--csv", str(out)]) == 0
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert float(row["outlook.step_time_s.low"]) < float(row["outlook.step_time_s.high"])
        assert 0 <= float(row["outlook.out_of_memory"]) <= 1


def test_the_markdown_report_has_them(tmp_path: Path) -> None:
    out = tmp_path / "report.md"
    assert run(["search", *SMALL, "--report", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    assert " in 90 %) per step" in text
    assert "likely to run out of memory" in text
    assert "runs out" in text


def test_a_validation_says_how_many_runs_the_intervals_hold(capsys: Capture) -> None:
    found = parsed(capsys, "validate", "--suite", "korth22")["intervals"]
    assert found["time"]["suites"] == 1
    assert found["time"]["of_runs"] == pytest.approx(found["time"]["of_suites"])
    assert 0 <= found["time"]["of_runs"] <= 1 < found["time"]["factor"]
    run(["validate", "--suite", "korth22"])
    assert "90 % intervals as they ship hold: step time " in capsys.readouterr().out
