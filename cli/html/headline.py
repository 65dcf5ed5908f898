"""The answer in a few large figures."""

from collections.abc import Iterator
from typing import NamedTuple

from plan3d.cli.question import Question
from plan3d.cli.sureness import RISKY, chance
from plan3d.cli.words import gib, percent, seconds, seconds_between
from plan3d.planner.result import Plan


class Figure(NamedTuple):
    """One of them."""

    label: str
    value: str
    note: str = ""
    bad: bool = False


def headline(question: Question, plan: Plan) -> Iterator[Figure]:
    """Yield the figures, where nine of ten measurements are expected beside them."""
    estimate, sure = plan.estimate, plan.outlook
    step = "" if sure is None else (
        f"{seconds_between(sure.step_time_s.low, sure.step_time_s.high)} in 90 %"
    )  # fmt: skip
    cost = question.run_cost(estimate)
    if cost is not None:
        days = usd = ""
        if sure is not None:
            low, high = (
                cost.slower(end / estimate.step_time_s)
                for end in (sure.step_time_s.low, sure.step_time_s.high)
            )
            days = f"{low.days:,.1f} to {high.days:,.1f} in 90 %"
            usd = f"{_usd(low.cost_usd)} to {_usd(high.cost_usd)} in 90 %"
        yield Figure("Days", f"{cost.days:,.1f}", days)
        yield Figure("US dollars", _usd(cost.cost_usd), usd)
    yield Figure("Step", seconds(estimate.step_time_s), step)
    yield Figure("MFU", percent(estimate.mfu),
                 f"{estimate.tokens_per_s_per_gpu:,.0f} tokens/s per GPU")  # fmt: skip
    yield _memory(plan)


def _memory(plan: Plan) -> Figure:
    """Return whether the plan fits, by the model and by how wrong that was of published runs."""
    estimate, sure = plan.estimate, plan.outlook
    room = f"{gib(estimate.memory_bytes)} of {gib(estimate.capacity_bytes)} GiB"
    if sure is not None:
        room += f"; {chance(sure.out_of_memory)} likely to run out"
    if not estimate.fits:
        return Figure("Memory", "does not fit", room, bad=True)
    if sure is not None and sure.out_of_memory >= RISKY:
        return Figure("Memory", "tight", room, bad=True)
    return Figure("Memory", "fits", room)


def _usd(value: float) -> str:
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:,.3g} {unit}"
    return f"{value:,.0f}"
