"""Only the pipelines that may be the best are played: the answer is that of playing all."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from plan3d.planner.bound import BOUNDED, FIRST, best_replayed, pipeline_bound_s
from plan3d.planner.evaluator import evaluator_of
from plan3d.planner.exhaustive import search
from plan3d.planner.frameworks import FRAMEWORKS
from plan3d.planner.refine import pipeline_s, replayed
from plan3d.planner.result import Job
from plan3d.planner.space import space
from plan3d.simulator.layout import Layout, LayoutTable, Schedule
from tests.planner.jobs import cluster, job, model

JOBS = [
    job(64, model(layers=16, hidden=256, ffn=1024), seq=512, batch=64),
    job(16, model(layers=14, hidden=128), seq=256, batch=48, cluster=cluster(4)),
]


def staged(asked: Job) -> LayoutTable:
    table = next(space(asked, FRAMEWORKS["any"]).chunks())
    rows = np.flatnonzero((table.pp > 1) & np.isin(table.schedule, BOUNDED))
    return table.take(rows[:: max(1, len(rows) // 300)])


@pytest.mark.parametrize("asked", JOBS)
def test_no_play_falls_below_the_bound(asked: Job) -> None:
    table = staged(asked)
    played, bound = pipeline_s(asked, table), pipeline_bound_s(asked, table)
    assert np.all(bound <= played * (1 + 1e-12))
    assert np.median(bound / played) > 0.9


def test_equal_stages_by_hand() -> None:
    """1F1B of m micro-batches on p equal stages takes (m + p - 1) times one: the bound is exact."""
    asked = job(4, model(layers=8), batch=16)
    free = replace(asked.cluster.node, p2p_latency_s=0.0, p2p_bytes_per_s=1e30)
    asked = replace(asked, cluster=replace(asked.cluster, node=free))
    table = LayoutTable.of([Layout(pp=4)])
    one = pipeline_bound_s(asked, table)
    assert one == pytest.approx(pipeline_s(asked, table))


def test_other_schedules_have_no_bound() -> None:
    table = LayoutTable.of([Layout(pp=4, dp=16, schedule=Schedule.ZB_H1)])
    assert pipeline_bound_s(JOBS[0], table).tolist() == [0.0]


@pytest.mark.parametrize("asked", JOBS)
@pytest.mark.parametrize("framework", ["megatron", "torchtitan", "any"])
def test_the_best_plan_is_that_of_playing_all(asked: Job, framework: str) -> None:
    few = search(asked, framework=framework, top=1, player=partial(best_replayed, asked))
    assert few.plans == search(asked, framework=framework, top=1).plans
    assert few.safer == search(asked, framework=framework, top=1).safer


def test_what_is_not_played_has_at_least_its_bound() -> None:
    asked = JOBS[0]
    table = staged(asked)
    closed = evaluator_of(asked)(table)
    some, every = best_replayed(asked, table, closed), replayed(asked, table, closed)
    same = some.step_time_s == every.step_time_s
    assert FIRST <= same.sum() < len(table)
    assert np.argmin(some.step_time_s) == np.argmin(every.step_time_s)
    assert np.all(some.step_time_s[~same] > 1.01 * every.step_time_s.min())
