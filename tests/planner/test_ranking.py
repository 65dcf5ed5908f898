"""The order of a search where it is known how likely plans are to fail."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from plan3d.planner.exhaustive import search
from plan3d.planner.result import SearchResult
from plan3d.planner.uncertainty import Outlooks, shipped
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Floats
from plan3d.simulator.result import EstimateTable
from tests.planner.jobs import GIB, job

EIGHT = job(8)


def evaluate(table: LayoutTable) -> EstimateTable:
    """Tensor parallelism is free up to 2, and 0.2 % dearer than none; then it is twice as slow."""
    zeros = np.zeros(len(table))
    time_s = np.select([table.tp == 1, table.tp == 2], [1.0, 1.002], 2.0) + table.pp - 1
    return EstimateTable(
        time=dict.fromkeys(EstimateTable.TIME, zeros) | {"matmul_s": time_s},
        link=dict.fromkeys(EstimateTable.LINK, zeros),
        memory=dict.fromkeys(EstimateTable.MEMORY, zeros) | {"activations_bytes": zeros + GIB},
        stage=zeros,
        first_stage=dict.fromkeys(EstimateTable.MEMORY, zeros),
        hardware_flop=zeros,
        gpus=zeros + 8,
        model_flop=1.0,
        capacity_bytes=2 * GIB,
        peak_flop_per_s=1.0,
        tokens=1.0,
    )


def foresee(risk: Callable[[LayoutTable], Floats]) -> Callable[..., Outlooks]:
    def forecast(table: LayoutTable, estimates: EstimateTable, /) -> Outlooks:
        return Outlooks(
            calibration=shipped(),
            regime=np.zeros(len(table), dtype=np.int64),
            step_time_s=estimates.step_time_s,
            memory_bytes=estimates.memory_bytes,
            out_of_memory=risk(table),
        )

    return forecast


def found(risk: Callable[[LayoutTable], Floats], **options: object) -> SearchResult:
    return search(EIGHT, evaluator=evaluate, forecast=foresee(risk), **options)  # type: ignore[arg-type]


def risky_without_tp(table: LayoutTable) -> Floats:
    return np.where(table.tp == 1, 0.5, 0.1)


def test_the_safer_of_two_near_ties_is_first() -> None:
    answer = found(risky_without_tp)
    first, second = answer.plans[:2]
    assert (first.layout.tp, second.layout.tp) == (2, 1)
    assert first.behind == pytest.approx(0.002)
    assert [plan.rank for plan in answer.plans[:2]] == [1, 2]
    assert answer.safer is not None
    assert answer.safer.faster == second.layout
    assert answer.safer.behind == pytest.approx(0.002)
    assert answer.safer.out_of_memory == 0.5
    assert first.outlook is not None
    assert first.outlook.out_of_memory == 0.1


def test_unless_it_is_not_wanted() -> None:
    answer = found(risky_without_tp, prefer_safe=False)
    assert answer.plans[0].layout.tp == 1
    assert answer.safer is None
    assert answer.near_best is not None


def test_a_safe_plan_that_is_slower_is_not_preferred() -> None:
    answer = found(lambda table: np.where(table.tp > 2, 0.0, 0.9))
    assert answer.plans[0].layout.tp == 1
    assert answer.safer is None


@pytest.mark.parametrize("objective", ["memory", "pareto"])
def test_other_orders_than_that_of_time_are_left_alone(objective: str) -> None:
    answer = found(risky_without_tp, objective=objective)
    plain = found(risky_without_tp, objective=objective, prefer_safe=False)
    assert [p.layout for p in answer.plans] == [p.layout for p in plain.plans]
    assert answer.safer is None
    assert answer.near_best is None


def test_another_cost_model_has_no_outlook() -> None:
    answer = search(EIGHT, evaluator=evaluate)
    assert answer.plans[0].outlook is None
    assert answer.near_best is None


def test_the_own_cost_model_has_one() -> None:
    answer = search(EIGHT, top=2)
    assert all(plan.outlook is not None for plan in answer.plans)
    assert answer.near_best is not None
    assert 0 < answer.near_best <= 1
    assert answer.near_best == search(EIGHT, top=1).near_best  # however many plans are shown


def test_a_front_is_one_after_its_pipelines_are_played() -> None:
    """A layout without tp is the fastest until it is played: then all others beat it in both."""

    def leaner(table: LayoutTable) -> EstimateTable:
        whole = evaluate(table)
        return replace(
            whole,
            time=whole.time | {"matmul_s": table.tp + table.pp - 1.0},
            memory=whole.memory | {"activations_bytes": GIB / table.tp},
        )

    def play(table: LayoutTable, closed: EstimateTable) -> EstimateTable:
        slower = np.where(table.tp == 1, 10.0, 1.0)
        return replace(closed, time=closed.time | {"matmul_s": slower * closed.step_time_s})

    def front(**options: object) -> list[int]:
        answer = search(EIGHT, evaluator=leaner, objective="pareto", **options)  # type: ignore[arg-type]
        return [plan.layout.tp for plan in answer.plans]

    whole = front(player=lambda _, closed: closed)
    assert whole[:2] == [1, 2]
    assert front(player=play) == whole[1:]
