"""The best plan for each number of GPUs, and what more of them bring."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from plan3d.planner import scaling
from plan3d.planner.constraints import parse_fix
from plan3d.planner.exhaustive import search
from plan3d.planner.result import Job, SearchResult
from plan3d.planner.scaling import MAX_COUNTS, scale, stops_paying
from plan3d.simulator.errors import InputError
from plan3d.simulator.result import StepTime
from tests.planner.jobs import cluster, job

JOB = job(8, batch=64)


@pytest.fixture
def step_s(monkeypatch: pytest.MonkeyPatch) -> dict[int, float | None]:
    """Step times by number of GPUs, that the search is made to find; None where nothing fits."""
    times: dict[int, float | None] = {}
    found = search(JOB, top=1)
    zero = StepTime(**dict.fromkeys(StepTime.__dataclass_fields__, 0.0))

    def fake(job: Job, *_: Any) -> SearchResult:
        time_s = times[job.gpus]
        plan = found.plans[0]
        if time_s is None:
            miss = replace(plan, reason="misses the memory by 3.0 GiB")
            return replace(found, job=job, plans=(), nearest=miss)
        estimate = replace(plan.estimate, time=replace(zero, matmul_s=time_s), gpus=job.gpus)
        return replace(found, job=job, plans=(replace(plan, estimate=estimate),))

    monkeypatch.setattr(scaling, "best", fake)
    return times


def test_efficiency_and_gain_by_hand(step_s: dict[int, float | None]) -> None:
    """Twice the GPUs in half the time lose nothing; 48 more for another half bring a third each."""
    step_s |= {4: None, 8: 4.0, 16: 2.0, 32: None, 64: 1.0}
    points = scale(JOB, [64, 8, 16, 4, 32, 16])
    assert [p.gpus for p in points] == [4, 8, 16, 32, 64]
    assert [p.efficiency for p in points] == pytest.approx([None, 1.0, 1.0, None, 0.5])
    assert points[1].gain is None
    assert points[2].gain == pytest.approx(1.0)
    assert points[4].gain == pytest.approx(1 / 3)
    assert points[0].why == "nothing fits: the nearest misses the memory by 3.0 GiB"
    assert stops_paying(points) is points[4]


def test_what_a_token_costs(step_s: dict[int, float | None]) -> None:
    """8 GPUs at a thousandth of a dollar per second, 4 s, 64 x 64 tokens."""
    step_s |= {8: 4.0}
    (point,) = scale(JOB, [8])
    assert point.usd_per_token == pytest.approx(8 * 0.001 * 4 / 4096)
    assert point.tokens_per_s == pytest.approx(1024)
    assert stops_paying([point]) is None


@pytest.mark.parametrize("gpus", [8, 16])
def test_each_count_has_the_plan_that_a_search_finds(gpus: int) -> None:
    asked = (parse_fix("tp=2"),)
    point = scale(JOB, [8, 16], constraints=asked)[[8, 16].index(gpus)]
    alone = search(replace(JOB, gpus=gpus), constraints=asked, top=1).plans[0]
    assert point.plan == alone
    assert point.mfu == alone.estimate.mfu


def test_where_no_layout_is_legal_it_says_why() -> None:
    (point,) = scale(job(13, batch=5), [13])
    assert point.plan is None
    assert point.why.startswith("no layout is legal: ")
    assert point.tokens_per_s is point.mfu is None


def test_where_nothing_fits_it_says_by_how_much() -> None:
    (point,) = scale(job(8, cluster=cluster(memory_gib=1)), [8])
    assert "the nearest misses the memory by" in point.why


@pytest.mark.parametrize("counts", [[], list(range(1, MAX_COUNTS + 2))])
def test_none_and_too_many_are_refused(counts: Sequence[int]) -> None:
    with pytest.raises(InputError, match="numbers of GPUs; give from 1 to"):
        scale(JOB, counts)
