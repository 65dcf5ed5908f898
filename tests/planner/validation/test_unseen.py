"""Predictions with a suite left out of the constants: as if they were the model's own."""

from dataclasses import replace

import pytest

from plan3d.planner.validation import Prediction, Validation, published_runs, validate
from plan3d.planner.validation.recorded import recorded_runs
from plan3d.planner.validation.unseen import as_unseen, unseen, unseen_figures
from tests.planner.validation.conftest import Shipped


@pytest.fixture(scope="module")
def result() -> Validation:
    runs = published_runs()
    rows = tuple(run for run in runs.rows if run.suite in ("zb", "aa-layouts", "bloom"))
    return validate(replace(runs, rows=rows), Shipped())


def one(result: Validation, name: str) -> Prediction:
    return next(p for p in result.predictions if p.run.id == name)


def test_time_and_memory_are_those_of_the_file(result: Validation) -> None:
    """The terms keep their shares, and work done does not change."""
    weighed = next(p for p in result.predictions if p.measured_s and p.measured_bytes)
    figures, other = unseen_figures()[weighed.run.id], as_unseen(weighed)
    assert figures.step_s is not None
    assert other.predicted_s == pytest.approx(figures.step_s)
    assert other.predicted_bytes == figures.counted_bytes
    assert other.estimate.need_bytes == pytest.approx(figures.need_bytes)
    assert other.estimate.mfu * other.predicted_s == pytest.approx(
        weighed.estimate.mfu * weighed.predicted_s
    )
    scale = other.predicted_s / weighed.predicted_s
    assert other.estimate.time.matmul_s == pytest.approx(scale * weighed.estimate.time.matmul_s)


def test_errors_are_of_these_predictions(result: Validation) -> None:
    weighed = one(result, "zb-001")
    figures = unseen_figures()["zb-001"]
    assert figures.step_s
    assert weighed.measured_s
    found = unseen([weighed])
    assert found.time.suites["zb"].bias == pytest.approx(figures.step_s / weighed.measured_s - 1)


def test_outcomes_are_told_by_the_need_in_the_file(
    result: Validation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With needs of nothing, all are told to fit: half of the outcomes, as a coin."""
    assert unseen(result.predictions).oom_n == result.oom_n > 0
    nothing = {name: replace(f, need_bytes=1.0) for name, f in unseen_figures().items()}
    monkeypatch.setattr("plan3d.planner.validation.unseen.unseen_figures", lambda: nothing)
    assert unseen(result.predictions).oom_balanced_accuracy == 0.5


def test_sweeps_are_the_same_in_the_same_order(result: Validation) -> None:
    """What stands side by side on the page: only tau and regret may differ."""
    same = [replace(s, tau=0.0, regret=0.0) for s in result.sweeps]
    assert [replace(s, tau=0.0, regret=0.0) for s in unseen(result.predictions).sweeps] == same


@pytest.mark.parametrize("changes", [{"iter_s": 1.0}, {"mem_gb": 1.0}, {"id": "mine"}])
def test_only_published_runs_are_known(result: Validation, changes: dict[str, object]) -> None:
    """A run that only has the id of a published one is another run."""
    known = one(result, "zb-001")
    other = replace(known, run=replace(known.run, **changes))  # type: ignore[arg-type]
    assert len(unseen([known, other]).predictions) == 1
    assert as_unseen(other) is other


def test_what_a_job_recorded_counts_where_its_suite_is_left_out() -> None:
    """Twice the same run: what it measured of its network changes both predictions."""
    name = "ultra-1574"
    plain, told = (
        next(p for p in validate(runs.of_suite("ultra"), Shipped()).predictions if p.run.id == name)
        for runs in (published_runs(), recorded_runs())
    )
    for found, row in ((plain, name), (told, f"{name} recorded")):
        assert as_unseen(found).predicted_s == pytest.approx(unseen_figures()[row].step_s)
    assert as_unseen(told).predicted_s > as_unseen(plain).predicted_s
