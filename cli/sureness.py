"""How sure an answer is, in words."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from plan3d.cli.words import brief, gib, percent, seconds_between
from plan3d.planner.result import Outlook, SearchResult
from plan3d.planner.safer import safest_first
from plan3d.planner.uncertainty.regimes import WORDS, Regime

RISKY: Final = 0.1
"""A plan that is as likely as this to run out of memory has a surer one named beside it. [1]"""


def around(sure: Outlook | None) -> str:
    """Return the interval of the step time, to stand behind it."""
    if sure is None:
        return ""
    return f" ({seconds_between(sure.step_time_s.low, sure.step_time_s.high)} in 90 %)"


def memory_line(sure: Outlook) -> str:
    """Return the interval of the memory, the chance to run out of it, and what both rest on."""
    low, high = gib(sure.memory_bytes.low), gib(sure.memory_bytes.high)
    kind = WORDS[Regime[sure.regime.upper().replace("-", "_")]]
    wider = f", too few: made {sure.inflation:.2g} x as wide" if sure.inflation > 1 else ""
    return (
        f"{chance(sure.out_of_memory)} likely to run out of memory ({low}-{high} GiB in 90 %); "
        f"intervals of {kind}: {sure.suites} sources{wider}"
    )


def of_order(result: SearchResult) -> Iterator[str]:
    """Yield what stands behind the first place."""
    if result.safer is not None:
        faster, slower = brief(result.safer.faster), percent(result.safer.behind)
        yield (
            f"Preferred for safety to {faster}: {slower} faster, but "
            f"{chance(result.safer.out_of_memory)} likely to run out of memory (--no-prefer-safe)"
        )
    yield from _surer(result)
    if result.near_best is not None:
        likely = chance(result.near_best)
        yield f"{likely} likely to be within 5 % of the fastest of the 20 best plans"


def _surer(result: SearchResult) -> Iterator[str]:
    """Name the listed plan that takes the least time if one that fails costs its share again.

    A search puts it in front where it is nearly as fast; here the whole list is looked through.
    """
    listed = [(plan, plan.outlook) for plan in result.plans if plan.outlook is not None]
    if not listed or listed[0][1].out_of_memory < RISKY:
        return
    score = np.array([1 + plan.behind for plan, _ in listed])
    fails = np.array([sure.out_of_memory for _, sure in listed])
    first = safest_first(np.arange(len(listed)), score, fails, near=np.inf)[0]
    best, sure = listed[first]
    if first > 0:
        yield (
            f"More likely to fit: {brief(best.layout)}, {percent(best.behind)} slower, "
            f"{chance(sure.out_of_memory)} likely to run out of memory"
        )


def chance(value: float) -> str:
    """Write a chance in whole percents: no more is known, and nothing is certain."""
    whole = round(100 * value)
    return "<1 %" if whole < 1 else ">99 %" if whole > 99 else f"{whole} %"
