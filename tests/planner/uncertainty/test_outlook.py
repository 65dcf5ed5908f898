"""From an estimate to how sure it is: regimes, intervals, and one row as well as many."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.planner.result import Job
from plan3d.planner.uncertainty import Band, Calibration, outlooks
from plan3d.planner.uncertainty.chances import GRID, MemoryChance
from plan3d.planner.uncertainty.outlook import measured
from plan3d.planner.uncertainty.regimes import Regime, regimes
from plan3d.simulator.estimate import estimate_table
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.result import EstimateTable
from tests.planner.jobs import cluster, job

EXACT = (0.0,) * GRID


def calibration(**parts: object) -> Calibration:
    band = Band(low=-0.2, high=0.1, runs=90, suites=9)
    known = {
        "runs": "runs.csv", "digest": "0" * 16, "date": "2000-01-01",
        "gpus": frozenset({"some-gpu"}), "union": band, "memory": band,
        "time": {r: replace(band, low=-0.2 - r / 10) for r in Regime},
        "out_of_memory": MemoryChance(residuals={"a": EXACT}, shift=0.0, slope=1.0),
        "spreads": {"a": EXACT},
    }  # fmt: skip
    return Calibration(**(known | parts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, Regime.PLAIN),
        ({"zero": 3}, Regime.RARE),
        ({"cp": 2}, Regime.RARE),
        ({"moe": True}, Regime.RARE),
        ({"mfu": 0.29}, Regime.SLOW_ONE_NODE),
        ({"mfu": 0.29, "many_nodes": True}, Regime.SLOW_MANY_NODES),
        ({"many_nodes": True}, Regime.PLAIN),
        ({"mfu": 0.29, "moe": True}, Regime.SLOW_ONE_NODE),
        ({"mfu": 0.29, "seen": False}, Regime.UNSEEN),
    ],
)
def test_regimes(changes: dict[str, float], wanted: Regime) -> None:
    plain = {"mfu": 0.3, "zero": 2, "cp": 1, "moe": False, "many_nodes": False, "seen": True}
    columns = {name: np.array([value]) for name, value in (plain | changes).items()}
    assert regimes(**columns).tolist() == [wanted]  # type: ignore[arg-type]


@given(st.floats(1e-3, 1e12), st.floats(1e-3, 1e3))
def test_an_interval_scales_with_the_prediction(predicted: float, unit: float) -> None:
    band = Band(low=-0.3, high=0.1, runs=9, suites=9)
    one, other = measured(predicted, band), measured(unit * predicted, band)
    assert other.low == pytest.approx(unit * one.low)
    assert other.high == pytest.approx(unit * one.high)
    assert one.high / one.low == pytest.approx(band.factor)


def test_a_model_that_predicts_half_the_time_means_twice_the_time() -> None:
    band = Band(low=np.log(0.5), high=np.log(0.5) + 1e-9, runs=9, suites=9)
    found = measured(3.0, band)
    assert found.low == pytest.approx(6.0)
    assert found.high == pytest.approx(6.0)


def test_rows_are_those_of_single_layouts() -> None:
    asked = job(8)
    layouts = [Layout(dp=8), Layout(tp=2, dp=4), Layout(dp=8, zero=3, shard=8)]
    table = LayoutTable.of(layouts)
    many = outlooks(asked, table, estimates(asked, table), calibration())
    for i, layout in enumerate(layouts):
        one = LayoutTable.of([layout])
        assert outlooks(asked, one, estimates(asked, one), calibration()).row(0) == many.row(i)


def estimates(asked: Job, table: LayoutTable) -> EstimateTable:
    return estimate_table(asked.model, asked.work, asked.cluster, asked.software, table)


@pytest.mark.parametrize(
    ("gpus", "known", "wanted"),
    [
        (8, {"some-gpu"}, "slow-one-node"),  # a tiny model is never near the peak
        (16, {"some-gpu"}, "slow-many-nodes"),
        (8, {"another"}, "unseen"),
    ],
)
def test_the_regime_of_a_job(gpus: int, known: set[str], wanted: str) -> None:
    asked, table = job(gpus), LayoutTable.of([Layout(dp=gpus)])
    found = outlooks(asked, table, estimates(asked, table), calibration(gpus=frozenset(known)))
    assert found.row(0).regime == wanted


def test_less_capacity_is_riskier() -> None:
    table = LayoutTable.of([Layout(dp=8)])
    chances = []
    for memory_gib in (80.0, 1.2, 0.5):
        asked = job(8, cluster=cluster(memory_gib=memory_gib))
        found = outlooks(asked, table, estimates(asked, table), calibration())
        chances.append(found.row(0).out_of_memory)
    assert chances == sorted(chances)
    assert chances[0] < 0.01 < chances[-1]


def test_what_an_allocator_gives_back_is_no_risk() -> None:
    """A GPU filled to the brim by what is only cached is no riskier than without."""
    table, plain = LayoutTable.of([Layout(pp=4, dp=2)]), job(8, cluster=cluster(memory_gib=80.0))
    caches = replace(plain, software=replace(plain.software, memory_cached=1e6))
    full = estimates(caches, table)
    assert full.memory_bytes[0] == pytest.approx(full.capacity_bytes)
    risks = [outlooks(j, table, estimates(j, table), calibration()) for j in (plain, caches)]
    assert risks[0].out_of_memory[0] == pytest.approx(risks[1].out_of_memory[0])


def test_the_shipped_calibration_is_the_default() -> None:
    asked, table = job(8), LayoutTable.of([Layout(dp=8)])
    assert outlooks(asked, table, estimates(asked, table)).row(0).regime == "unseen"
