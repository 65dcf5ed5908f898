"""The tables that only a full report has."""

from collections.abc import Sequence
from typing import Final

from plan3d.cli.report import Table
from plan3d.cli.sureness import chance
from plan3d.cli.words import GIB, brief, gib, percent, seconds, spelled
from plan3d.planner.causes import Subject
from plan3d.planner.differences import differences
from plan3d.planner.reasons import TERMS, changes
from plan3d.planner.result import Job, Plan
from plan3d.planner.sensitivity import Change
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.layout import FIELDS, Recompute
from plan3d.simulator.result import Estimate, Memory
from plan3d.simulator.roofline import Kernel

RUNNERS_UP: Final = 7
"""Plans whose losses are shown, the best among them. [1]"""
COLUMNS: Final = 5
"""Terms of which the differences are shown, the largest ones. [1]"""
ALWAYS: Final = ("tp", "pp", "dp", "micro_batch")
"""Axes that a table of layouts always shows; of the others those in which its layouts differ."""


def losses_table(plans: Sequence[Plan]) -> Table:
    """Return by which terms of the step the first plans differ from the best."""
    shown = plans[:RUNNERS_UP]
    each = [changes(plan.estimate, plans[0].estimate, "time") for plan in shown]
    size = {term: max(abs(row[term]) for row in each) for term in (each[0] if each else ())}
    terms = [term for term in sorted(size, key=lambda term: -size[term]) if size[term] > 5e-4]
    terms = terms[:COLUMNS]
    return Table(
        title="Step time over the best, by term",
        head=("#", "layout", "step", "in all", *(TERMS[term] for term in terms)),
        rows=tuple(
            (
                f"{plan.rank}",
                brief(plan.layout),
                seconds(plan.estimate.step_time_s),
                signed(sum(row.values())),
                *(signed(row[term]) for term in terms),
            )
            for plan, row in zip(shown, each, strict=True)
        ),
        words=(1,),
    )


def causes_table(job: Job, plans: Sequence[Plan]) -> Table:
    """Return by which term each runner-up loses most, and what is behind it."""
    subjects = [
        Subject(name=f"{plan.rank}", job=job, layout=plan.layout, estimate=plan.estimate)
        for plan in plans[:RUNNERS_UP]
    ]
    rows = []
    for other in subjects[1:]:
        worse = [d for d in differences(subjects[0], other, "time") if d.change > 0]
        if worse:
            by = f"{TERMS[worse[0].term]}, +{seconds(worse[0].change)}"
            rows.append((other.name, brief(other.layout), by, worse[0].cause))
    return Table(
        title="Where each loses most",
        head=("#", "layout", "by", "the best -> this one"),
        rows=tuple(rows),
        words=(1, 2, 3),
    )


def signed(fraction: float) -> str:
    """Write a change as a percentage, with its sign."""
    return f"{100 * fraction:+.1f} %" if abs(fraction) >= 5e-4 else "0"


def stages_table(stages: Sequence[Memory], capacity_bytes: float) -> Table:
    """Return what every stage holds."""
    return Table(
        title="Stages",
        head=("stage", "parameters", "gradients", "optimizer", "activations", "working, logits",
              "other", "GiB", "of capacity"),
        rows=tuple(
            (
                f"{i}",
                gib(one.parameters_bytes),
                gib(one.gradients_bytes),
                gib(one.optimizer_bytes),
                gib(one.activations_bytes),
                gib(one.transient_bytes + one.logits_bytes),
                gib(one.buckets_bytes + one.context_bytes + one.margin_bytes),
                gib(one.total_bytes),
                percent(one.total_bytes / capacity_bytes),
            )
            for i, one in enumerate(stages, start=1)
        ),
        words=(),
    )  # fmt: skip


def kernels_table(kernels: Sequence[Kernel]) -> Table:
    """Return the kernels of a block."""
    return Table(
        title="Kernels",
        head=("kernel", "time", "FLOP/byte", "TFLOP/s", "of peak"),
        rows=tuple(
            (
                kernel.name,
                seconds(kernel.time_s),
                f"{kernel.intensity:,.0f}",
                f"{kernel.flop_per_s / 1e12:,.0f}",
                percent(kernel.flop_per_s / kernel.peak_flop_per_s),
            )
            for kernel in kernels
        ),
    )


def front_table(plans: Sequence[Plan]) -> Table:
    """Return the plans of a front, the fastest first."""
    return Table(
        title="Pareto front",
        head=("layout", "step", "slower", "MFU", "GiB", "runs out"),
        rows=tuple(
            (
                brief(plan.layout),
                seconds(plan.estimate.step_time_s),
                percent(plan.estimate.step_time_s / plans[0].estimate.step_time_s - 1),
                percent(plan.estimate.mfu),
                gib(plan.estimate.memory_bytes),
                chance(plan.outlook.out_of_memory) if plan.outlook else "",
            )
            for plan in plans
        ),
    )


def changes_table(changes: Sequence[Change], here: Estimate) -> Table:
    """Return what a step along each axis does to a plan."""
    rows = []
    for change in changes:
        what = f"{change.axis} {_value(change, change.before)} → {_value(change, change.after)}"
        if change.estimate is None or change.layout is None:
            rows.append((what, "no", "", "", change.refused))
            continue
        fits = "" if change.estimate.fits else "does not fit: "
        rows.append(
            (
                what,
                signed(change.step_time_s / here.step_time_s),
                percent(change.estimate.mfu),
                f"{change.peak_bytes / GIB:+.1f}",
                fits + brief(change.layout),
            )
        )
    head = ("step", "time", "MFU", "GiB", "layout, or why there is none")
    return Table(title="Neighbours", head=head, rows=tuple(rows), words=(0, 4))


def _value(change: Change, value: float) -> str:
    return Recompute(int(value)).name.lower() if change.axis == "recompute" else f"{value:g}"


def layouts_table(plans: Sequence[Plan]) -> Table:
    """Return plans with a column for each axis, and plain numbers: to be sorted and filtered."""
    every = [spelled(plan.layout) for plan in plans]
    axes = [axis for axis in FIELDS if axis in ALWAYS or len({one[axis] for one in every}) > 1]
    return Table(
        title="Near-best layouts",
        head=("#", "step [s]", "behind [%]", "MFU [%]", "memory [GiB]", "runs out [%]",
              *(axis.replace("_", " ") for axis in axes)),
        rows=tuple(
            (
                f"{plan.rank}",
                f"{plan.estimate.step_time_s:.4g}",
                f"{100 * plan.behind:.1f}",
                f"{100 * plan.estimate.mfu:.1f}",
                gib(plan.estimate.memory_bytes),
                f"{100 * plan.outlook.out_of_memory:.0f}" if plan.outlook else "",
                *(_plainly(one[axis]) for axis in axes),
            )
            for plan, one in zip(plans, every, strict=True)
        ),
        words=tuple(
            i for i, axis in enumerate(axes, start=6)
            if any(isinstance(one[axis], str) for one in every)
        ),
    )  # fmt: skip


def _plainly(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def sources_table(cluster: Cluster) -> Table:
    """Return where each number of a hardware profile comes from."""
    return Table(
        title=f"Profile {cluster.name}",
        head=("number", "source"),
        rows=tuple(cluster.sources.items()),
        words=(0, 1),
    )
