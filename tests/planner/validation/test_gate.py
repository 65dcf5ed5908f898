"""No suite gets worse unnoticed: the scores are held to those of benchmarks/scores.json.

What is worse by more than half a point needs a line under Predictions in CHANGELOG.md
(benchmarks/score_gate.py). `python benchmarks/accuracy.py` records the scores anew, by the same
rule.
"""

import json
import runpy
from pathlib import Path

import pytest

from plan3d.planner.validation import Validation, published_runs, validate
from plan3d.planner.validation.recorded import recorded_runs
from plan3d.planner.validation.runs import Runs
from plan3d.planner.validation.unseen import key_of, unseen, unseen_figures
from tests.planner.validation.test_accuracy import Shipped

ROOT = Path(__file__).parents[3]
GATE = runpy.run_path(str(ROOT / "benchmarks" / "score_gate.py"))
SLACK: float = GATE["SLACK"]
AGAIN = "run: python benchmarks/unseen.py, after the fits that it names if constants are new"


@pytest.fixture(scope="module")
def result() -> Validation:
    return validate(published_runs(), Shipped())


@pytest.fixture(scope="module")
def recorded() -> dict[str, dict[str, float]]:
    loaded: dict[str, dict[str, float]] = json.loads((ROOT / "benchmarks/scores.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def left_out(result: Validation) -> Validation:
    return unseen(result.predictions)


def test_no_suite_is_worse_than_recorded(
    result: Validation, left_out: Validation, recorded: dict[str, dict[str, float]]
) -> None:
    errors = {
        "time": result.time, "memory": result.memory,
        "unseen": left_out.time, "unseen_memory": left_out.memory,
    }  # fmt: skip
    scores = {
        quantity: {name: 100 * s.mape for name, s in found.suites.items()}
        for quantity, found in errors.items()
    }
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    unsaid = GATE["unsaid"](recorded, scores, changelog)
    assert unsaid.keys() == errors.keys()
    assert not any(unsaid.values()), f"say so under Predictions: `suite` before % -> {unsaid} %"


def test_outcomes_and_ranking_are_no_worse(
    result: Validation, left_out: Validation, recorded: dict[str, float]
) -> None:
    for found, which in ((result, ""), (left_out, "unseen_")):
        assert found.oom_balanced_accuracy is not None
        assert 100 * found.oom_balanced_accuracy >= recorded[f"{which}oom"] - SLACK
        assert found.mean_regret is not None
        assert 100 * found.mean_regret <= recorded[f"{which}regret"] + SLACK
        assert len(found.predictions) >= recorded["runs"]


def test_jobs_that_recorded_their_state_are_predicted_no_worse(recorded: dict[str, float]) -> None:
    told = validate(recorded_runs().of_suite("ultra"), Shipped())
    assert 100 * told.time.suites["ultra"].mape <= recorded["told"] + SLACK


def test_unseen_predictions_are_of_this_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predicted again with the constants that they were made with: nothing is fitted here."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    script = runpy.run_path(str(ROOT / "benchmarks" / "unseen.py"))
    told = [run for run in recorded_runs().rows if key_of(run) != run.id]
    found = []
    for runs in (published_runs(), Runs(rows=tuple(told))):
        cases = script["cases_of"](runs)
        assert script["read"](script["UNSEEN_FITS"]).keys() >= {case.run.suite for case in cases}
        found += script["predicted"](script["left_out"](cases))
    assert [key_of(p.run) for p in found] == list(unseen_figures()), AGAIN
    for one in found:
        stored = unseen_figures()[key_of(one.run)]
        assert stored.need_bytes == pytest.approx(one.estimate.need_bytes, rel=1e-4), AGAIN
        if one.measured_s:
            assert stored.step_s == pytest.approx(one.predicted_s, rel=1e-4), AGAIN
        if one.measured_bytes:
            assert stored.counted_bytes == pytest.approx(one.predicted_bytes, rel=1e-4), AGAIN


def test_the_gate_shuts() -> None:
    worse, excused = GATE["worse"], GATE["excused"]
    assert worse({"a": 5.0, "b": 5.0}, {"a": 5.4, "b": 5.6}) == {"b": 5.6}
    assert worse({"a": 5.0}, {}) == {"a": float("inf")}
    log = "## 2\n\n**Predictions**\n\n`b` 5.0 % -> 5.6 %.\n\n## 1\n\n`d` 1 % -> 7 %\n"
    assert excused(log, "b", 5.62)
    assert not excused(log, "b", 6.0), "another score than the one stated"
    assert not excused(log, "b", 5.62, "memory"), "a time, not memory"
    both = "**Predictions**\n\n`b` 5.0 % -> 5.6 % (7.0 % -> 8.2 %).\n\nMemory: `b` 1 % -> 2.5 %\n"
    assert excused(both, "b", 8.2, "unseen")
    assert excused(both, "b", 2.5, "memory")
    assert not excused(both, "b", 2.5), "memory, not a time"
    assert not excused(log, "d", 7.0), "not under Predictions"
    back = "**Predictions**\n\n`b` 5.0 % -> 5.6 %.\n\n`b` 5.6 % -> 4.0 %.\n\nAs `b` was.\n"
    assert not excused(back, "b", 5.6), "better since, and worse again"


def test_worse_scores_are_told_by_what_is_scored() -> None:
    recorded = {quantity: {"a": 5.0} for quantity in GATE["QUANTITIES"]}
    scores = recorded | {"memory": {"a": 6.04}, "unseen": {"a": 7.0}}
    told = GATE["unsaid"](recorded, scores, "**Predictions**\n\n`a` 5.0 % -> 7.0 %.\n")
    assert {name: found for name, found in told.items() if found} == {"memory": {"a": 6.0}}
