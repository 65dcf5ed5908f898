"""The fewest GPUs for a deadline or a budget."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from plan3d.planner import sizing
from plan3d.planner.exhaustive import search
from plan3d.planner.result import Job, SearchResult
from plan3d.planner.sizing import Goal, Sizing, least_gpus, size
from plan3d.simulator.errors import InputError
from plan3d.simulator.reliability import Reliability
from plan3d.simulator.result import StepTime
from tests.planner.jobs import job

JOB = job(8, batch=5040)  # divides by everything up to 10
STEPS = 100
GOAL = Goal(tokens=STEPS * JOB.work.tokens, within_s=1e9)
NEVER = Reliability(gpu_mtbf_s=float("inf"), node_mtbf_s=1e18, restart_s=0)
StepS = Callable[[int], float | None]


@pytest.fixture
def sized(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sizing]:
    """Sizing where the search is made to find a step time for each number of GPUs, or nothing."""
    found = search(JOB, top=1)
    zero = StepTime(**dict.fromkeys(StepTime.__dataclass_fields__, 0.0))

    def run(step_s: StepS, **goal: Any) -> Sizing:
        def fake(job: Job, *_: Any) -> SearchResult:
            time_s = step_s(job.gpus)
            if time_s is None:
                return replace(found, job=job, plans=(), nearest=None, advice=("too small",))
            time = replace(zero, matmul_s=time_s)
            estimate = replace(found.plans[0].estimate, time=time, gpus=job.gpus)
            return replace(found, job=job, plans=(replace(found.plans[0], estimate=estimate),))

        monkeypatch.setattr(sizing, "best", fake)
        most = goal.pop("most_gpus", 128)
        tokens = STEPS * JOB.work.tokens
        return size(JOB, Goal(tokens=tokens, **goal), parts=NEVER, most_gpus=most)

    return run


def gpus(found: Sizing) -> list[int]:
    return [one.gpus for one in found.tried]


def test_a_deadline_by_hand(sized: Callable[..., Sizing]) -> None:
    """100 steps of 400 s / N in 1,000 s: 40 GPUs; 32 take 1,250 s."""
    found = sized(lambda n: 400 / n, within_s=1001)
    assert found.answer is not None
    assert found.answer.gpus == 40
    assert found.answer.run is not None
    assert found.answer.run.cost.time_s == pytest.approx(1000)
    assert found.below is not None
    assert found.below.gpus == 32
    assert not found.below.met
    assert found.next_below
    assert set(gpus(found)) >= {1, 2, 4, 8, 16, 24, 32, 40, 64}


def test_what_bisection_would_miss_is_found_by_looking_below(
    sized: Callable[..., Sizing],
) -> None:
    """40 GPUs are a bad number: 48 are the fewest above them, 32 do as well."""
    bad = {40: 20.0}
    found = sized(lambda n: bad.get(n, 640 / max(n, 32) if n >= 32 else 99.0), within_s=2001)
    assert found.answer is not None
    assert found.answer.gpus == 32


def test_a_budget_alone_takes_the_fewest_that_fit(sized: Callable[..., Sizing]) -> None:
    """4 GPUs for 100 s at a thousandth of a dollar: 40 cents for 100 steps of 100 s... / 4."""
    found = sized(lambda n: None if n < 4 else 400 / n, within_usd=40.1)
    assert found.answer is not None
    assert (found.answer.gpus, found.answer.met) == (4, True)
    assert found.answer.run is not None
    assert found.answer.run.cost.cost_usd == pytest.approx(40)
    assert found.below is not None
    assert found.below.why == "no layout is legal: too small"


def test_more_gpus_may_be_cheaper(sized: Callable[..., Sizing]) -> None:
    """8 GPUs recompute everything: twice the work of 16."""
    found = sized(lambda n: (800 if n < 16 else 400) / n, within_usd=41)
    assert found.answer is not None
    assert found.answer.gpus == 16


def test_what_cannot_be_met_says_what_is_nearest(sized: Callable[..., Sizing]) -> None:
    """Beyond 64 GPUs nothing is gained: 625 s is the fastest, one GPU the cheapest."""
    found = sized(lambda n: 400 / min(n, 64), within_s=100)
    assert found.answer is found.below is None
    assert found.fastest is not None
    assert found.fastest.gpus == 64
    assert found.cheapest is not None
    assert found.cheapest.run is not None
    assert found.cheapest.run.cost.cost_usd == pytest.approx(40)


def test_the_count_never_passes_the_most(sized: Callable[..., Sizing]) -> None:
    found = sized(lambda n: 400 / n, within_s=1, most_gpus=20)
    assert max(gpus(found)) == 16


def test_failures_count() -> None:
    quiet = size(JOB, replace(GOAL, within_s=1e12), parts=NEVER)
    often = size(JOB, replace(GOAL, within_s=1e12), parts=Reliability(node_mtbf_s=1e4))
    assert quiet.answer is not None
    assert often.answer is not None
    assert quiet.answer.run is not None
    assert often.answer.run is not None
    assert often.answer.run.cost.time_s > quiet.answer.run.cost.time_s


def test_no_search_below_what_the_work_takes_at_peak() -> None:
    """The peak is 3e14 FLOP/s; whatever the work is, twice the time takes half the GPUs."""
    one = least_gpus(JOB, Goal(tokens=1e15, within_s=1e3))
    assert one >= 64
    assert least_gpus(JOB, Goal(tokens=1e15, within_s=2e3)) == one / 2
    assert least_gpus(JOB, Goal(tokens=1.0, within_usd=1.0)) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "give a deadline or a budget"),
        ({"within_s": 0.0}, "within_s is 0, but must be above 0"),
        ({"within_usd": -5.0}, "within_usd is -5, but must be above 0"),
    ],
)
def test_what_is_no_goal_is_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Goal(tokens=1e9, **wrong)
