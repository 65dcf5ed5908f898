"""What ships: learnt from the predictions of today, and holding what it promises."""

from collections.abc import Sequence
from functools import cache

import pytest

from plan3d.planner.uncertainty import shipped
from plan3d.planner.uncertainty.coverage import coverage
from plan3d.planner.uncertainty.fit import Source, calibrate
from plan3d.planner.uncertainty.regimes import Regime
from plan3d.planner.validation import Prediction, elsewhere_runs, published_runs, validate
from plan3d.planner.validation.recorded import recorded_runs
from plan3d.planner.validation.sweeps import both_outcomes
from plan3d.planner.validation.unseen import as_unseen
from tests.planner.validation.conftest import Shipped


@cache
def predictions() -> Sequence[Prediction]:
    return validate(published_runs(), Shipped()).predictions


@cache
def told() -> Sequence[Prediction]:
    return validate(recorded_runs(), Shipped()).predictions


@cache
def others() -> Sequence[Prediction]:
    return validate(elsewhere_runs(), Shipped()).predictions


def test_the_intervals_are_up_to_date() -> None:
    again = "run: python benchmarks/intervals.py"
    known = shipped()
    source = Source(runs=known.runs, digest=known.digest, date=known.date)
    found = calibrate([*map(as_unseen, told()), *others()], source, both_outcomes(predictions()))
    for regime in Regime:
        assert known.time[regime].low == pytest.approx(found.time[regime].low, abs=0.01), again
        assert known.time[regime].high == pytest.approx(found.time[regime].high, abs=0.01), again
    assert known.memory.low == pytest.approx(found.memory.low, abs=0.01), again
    assert known.memory.high == pytest.approx(found.memory.high, abs=0.01), again
    assert known.out_of_memory.slope == pytest.approx(found.out_of_memory.slope, abs=0.1), again
    assert known.out_of_memory.shift == pytest.approx(found.out_of_memory.shift, abs=0.01), again


def test_they_hold_what_they_promise() -> None:
    """Of the suites that they learnt from, each counting once, nine in ten."""
    found = coverage([*told(), *others()])
    for one in (found.time, found.memory):
        assert one is not None
        assert one.of_suites >= 0.9


def test_most_runs_are_inside_where_the_state_of_their_jobs_is_known() -> None:
    """Nearly half of all runs are of one suite; as it stands, half of its times are inside."""
    found = coverage(told())
    for one in (found.time, found.memory):
        assert one is not None
        assert one.of_runs >= 0.8
