"""What `plan3d compare` shows, and the object that it prints with ``--json``."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from plan3d.cli.as_json import of_job, of_plan
from plan3d.cli.report import Report, Table, grounds, job_line
from plan3d.cli.subjects import Compared
from plan3d.cli.words import GIB, MEMORY, TIME, brief, gib, percent, seconds
from plan3d.planner.differences import Difference, differences
from plan3d.simulator.economics import HOUR_S

SAID = 3
"""Differences that are said in the first lines: the tables have all. [1]"""


def report(found: Sequence[Compared]) -> Report:
    """Report what differs: each against the first."""
    first, *others = found
    return Report(
        answer=tuple(_answer(found)),
        tables=(
            side_by_side(found),
            *(table for other in others for table in _differences(first, other)),
        ),
        grounds=tuple(
            dict.fromkeys(
                line
                for one in found
                for line in (*filter(None, [one.note]), *grounds(one.question))
            )
        ),
    )


def _answer(found: Sequence[Compared]) -> Iterator[str]:
    for one in found:
        yield f"{one.name}: {job_line(one.question)}, {brief(one.plan.layout)}"
    first, *others = found
    for other in others:
        gain = other.plan.estimate.gain_over(first.plan.estimate)
        change_s = other.plan.estimate.step_time_s - first.plan.estimate.step_time_s
        yield (
            f"{other.name} against {first.name}: {signed_s(change_s)} per step, "
            f"{100 * gain:+.1f} % tokens/s"
        )
        for term in differences(first.subject, other.subject, "time")[:SAID]:
            if term.change:
                yield f"  {TIME[term.term]} {signed_s(term.change)}: {term.cause}"


def signed_s(value_s: float) -> str:
    """Write a change of a time."""
    return ("-" if value_s < 0 else "+") + seconds(abs(value_s))


def side_by_side(found: Sequence[Compared]) -> Table:
    """Return the figures of all."""
    return Table(
        title="Side by side",
        head=("", *(one.name for one in found)),
        rows=tuple((name, *values) for name, values in _figures(found)),
    )


def _figures(found: Sequence[Compared]) -> Iterator[tuple[str, tuple[str, ...]]]:
    every = [one.plan.estimate for one in found]
    gpus = [one.question.job.cluster.gpu for one in found]
    yield "layout", tuple(brief(one.plan.layout) for one in found)
    yield "GPUs", tuple(f"{e.gpus:,}" for e in every)
    yield "hardware", tuple(one.question.job.cluster.name for one in found)
    yield "step", tuple(seconds(e.step_time_s) for e in every)
    yield "tokens/s", tuple(f"{e.tokens_per_s:,.0f}" for e in every)
    yield "tokens/s per GPU", tuple(f"{e.tokens_per_s_per_gpu:,.0f}" for e in every)
    yield "MFU", tuple(percent(e.mfu) for e in every)
    yield "memory, GiB", tuple(f"{gib(e.memory_bytes)} of {gib(e.capacity_bytes)}" for e in every)
    yield "fits", tuple("yes" if e.fits else "NO" for e in every)
    yield "rent, USD per GPU hour", tuple(f"{gpu.usd_per_s * HOUR_S:.2f}" for gpu in gpus)
    runs = [one.question.run_cost(one.plan.estimate) for one in found]
    if all(runs):
        yield "days", tuple(f"{run.days:,.1f}" for run in runs if run)
        yield "USD", tuple(f"{run.cost_usd:,.0f}" for run in runs if run)


def _differences(one: Compared, other: Compared) -> Iterator[Table]:
    """Yield the differences of time and of memory: the changes add up to the last line."""
    time = differences(one.subject, other.subject, "time")
    memory = differences(one.subject, other.subject, "memory")
    a, b = one.plan.estimate, other.plan.estimate
    heads = ("term", one.name, other.name, "change", f"why: {one.name} -> {other.name}")
    yield Table(
        title=f"Time of a step, {other.name} against {one.name} (the changes add up)",
        head=heads,
        rows=(
            *(_row(TIME[t.term], t, seconds(t.one), seconds(t.other), signed_s(t.change))
              for t in time),
            ("step", seconds(a.step_time_s), seconds(b.step_time_s),
             signed_s(b.step_time_s - a.step_time_s), ""),
        ),
        words=(0, 4),
    )  # fmt: skip
    yield Table(
        title=f"Memory of the fullest stage in GiB, {other.name} against {one.name}",
        head=heads,
        rows=(
            *(_row(MEMORY[t.term], t, gib(t.one), gib(t.other), f"{t.change / GIB:+.1f}")
              for t in memory),
            ("peak", gib(a.memory_bytes), gib(b.memory_bytes),
             f"{(b.memory_bytes - a.memory_bytes) / GIB:+.1f}", ""),
        ),
        words=(0, 4),
    )  # fmt: skip


def _row(name: str, term: Difference, *cells: str) -> tuple[str, ...]:
    return (name, *cells, term.cause)


def as_object(found: Sequence[Compared]) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""
    first, *others = found
    return {
        "version": first.question.version,
        "compared": [
            {
                "name": one.name,
                "job": of_job(one.question),
                "plan": of_plan(one.question, one.plan),
                "note": one.note or None,
            }
            for one in found
        ],
        "differences": [
            {
                "one": first.name,
                "other": other.name,
                "gain": other.plan.estimate.gain_over(first.plan.estimate),
                "time": [
                    asdict(t) | {"change": t.change}
                    for t in differences(first.subject, other.subject, "time")
                ],
                "memory": [
                    asdict(t) | {"change": t.change}
                    for t in differences(first.subject, other.subject, "memory")
                ],
            }
            for other in others
        ],
    }
