"""Learning from runs: what is learnt of a model that errs in a known way, and its coverage."""

import math
from typing import Any

import pytest

from plan3d.planner.uncertainty.coverage import coverage
from plan3d.planner.uncertainty.fit import Source, calibrate, demand, kinds, relatives
from plan3d.planner.uncertainty.regimes import Regime
from plan3d.planner.validation import Prediction, Run, Runs, validate
from plan3d.simulator.errors import InputError
from tests.planner.validation.conftest import FACTS, Shipped, constant

SOURCE = Source(runs="runs.csv", digest="0" * 16, date="2000-01-01")


def predictions(*changes: dict[str, Any]) -> tuple[Prediction, ...]:
    """Runs, all predicted to take 1 s and 50 GB (4 sequences of 12.5 GB) plus 2 GB of context."""
    rows = tuple(
        Run(**(FACTS | {"id": str(i)} | change))  # type: ignore[arg-type]
        for i, change in enumerate(changes)
    )
    found = validate(Runs(rows=rows), Shipped(), constant(lambda _: 1.0, 12.5e9))
    assert len(found.predictions) == len(changes)
    return found.predictions


def suites(count: int, times_s: list[float]) -> list[dict[str, Any]]:
    return [{"suite": f"s{i}", "iter_s": t, "mem_gb": 50.0} for i in range(count) for t in times_s]


def test_a_model_that_is_twice_too_fast() -> None:
    """Every measurement is 1.8 to 2.2 times the prediction; nine suites know no better."""
    found = calibrate(predictions(*suites(9, [1.8, 2.0, 2.1, 2.15, 2.2])), SOURCE)
    assert found.union.high == pytest.approx(-math.log(1.8))
    assert found.union.low == pytest.approx(-math.log(2.2))
    assert (found.union.runs, found.union.suites) == (45, 9)


def test_spreads_leave_out_what_a_sweep_has_in_common() -> None:
    found = calibrate(predictions(*suites(9, [2.0] * 6)), SOURCE)
    assert set(found.spreads) == {f"s{i}" for i in range(9)}
    assert all(value == 0 for grid in found.spreads.values() for value in grid)


def test_runs_that_went_out_of_memory_raise_the_chance() -> None:
    rows = suites(9, [2.0] * 6)
    ran = calibrate(predictions(*rows), SOURCE)
    full = {"suite": "z", "iter_s": None, "oom": 1, "mem_gb": None}
    fails = [full | {"micro_batch": 4} for _ in range(5)]
    fine = [full | {"iter_s": 2.0, "oom": 0, "micro_batch": 1} for _ in range(5)]
    learnt = calibrate(predictions(*rows), SOURCE, [predictions(*fails, *fine)])
    assert (ran.out_of_memory.shift, ran.out_of_memory.slope) == (0.0, 1.0)
    peak, capacity = demand(predictions(*fails, *fine))  # 52 and 14.5 GB of 85
    assert (learnt.out_of_memory(peak, capacity)[:5] > 0.5).all()
    assert (learnt.out_of_memory(peak, capacity)[5:] < 0.5).all()
    assert (ran.out_of_memory(peak, capacity) < 0.5).all()


def test_the_regime_of_a_run() -> None:
    found = predictions(
        {"iter_s": 2.0}, {"gpus": 16, "dp": 2, "global_batch": 8}, {"experts": 8, "moe_ffn": 64}
    )
    assert kinds(found)[1] in (Regime.PLAIN, Regime.SLOW_MANY_NODES)
    slow = [p.estimate.mfu < 0.3 for p in found]
    assert kinds(found)[0] == (Regime.SLOW_ONE_NODE if slow[0] else Regime.PLAIN)
    assert kinds(found)[2] == (Regime.SLOW_ONE_NODE if slow[2] else Regime.RARE)


def test_a_kind_of_few_suites_is_no_narrower_than_the_runs_most_like_it() -> None:
    runs = predictions(*suites(9, [1.8, 2.0, 2.0, 2.0, 2.2]))
    known, relative = calibrate(runs, SOURCE), relatives(runs)
    assert relative[Regime.SLOW_ONE_NODE].all()  # 8 GPUs each
    assert not relative[Regime.SLOW_MANY_NODES].any()
    few = [r for r in Regime if known.time[r].suites < 9]
    assert Regime.RARE in few
    assert Regime.SLOW_MANY_NODES in few
    for regime in few:
        assert known.time[regime].low <= known.union.low
        assert known.time[regime].high >= known.union.high


def test_coverage_counts_runs_and_suites() -> None:
    known = calibrate(predictions(*suites(9, [1.8, 2.0, 2.0, 2.0, 2.2])), SOURCE)
    # Suite a: both inside. Suite b: one of eight.
    b = [{"suite": "b", "iter_s": 5.0}] * 7 + [{"suite": "b", "iter_s": 2.0}]
    rows = [{"suite": "a", "iter_s": 2.0}, {"suite": "a", "iter_s": 2.1}, *b]
    found = coverage(predictions(*rows), known)
    assert found.time is not None
    assert (found.time.runs, found.time.suites) == (10, 2)
    assert found.time.of_runs == pytest.approx(3 / 10)
    assert found.time.of_suites == pytest.approx((1 + 1 / 8) / 2)
    regime = Regime(int(kinds(predictions(rows[0]))[0]))
    assert found.time.factor == pytest.approx(known.time[regime].factor)
    assert found.memory is None


def test_no_runs_are_inside_nothing() -> None:
    known = calibrate(predictions(*suites(9, [2.0] * 5)), SOURCE)
    assert coverage((), known).to_json() == {"time": None, "memory": None}


def test_without_measured_memory_nothing_is_learnt() -> None:
    with pytest.raises(InputError, match="no measured memory"):
        calibrate(predictions({"iter_s": 2.0}), SOURCE)


def test_without_sweeps_nothing_is_learnt() -> None:
    with pytest.raises(InputError, match="no sweep"):
        calibrate(predictions(*suites(9, [2.0])), SOURCE)
