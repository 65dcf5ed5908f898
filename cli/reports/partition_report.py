"""What `plan3d partition` shows, and the object that it prints with ``--json``."""

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate, groupby
from typing import Any

from plan3d.cli.question import Question
from plan3d.cli.report import Report, Table
from plan3d.cli.words import as_option, brief, gib, percent, seconds
from plan3d.planner.inner import InnerResult
from plan3d.planner.partition.compare import Comparison, Simple
from plan3d.planner.partition.cost import Assignment
from plan3d.planner.partition.problem import Problem
from plan3d.planner.result import Plan
from plan3d.simulator.layout import Layout


def report(question: Question, layout: Layout, found: Comparison, elapsed_s: float) -> Report:
    """Report the best partition, beside the even split and the runnable one."""
    return Report(
        answer=tuple(_answer(question, layout, found, elapsed_s)),
        tables=tuple(_tables(found)),
        grounds=(
            "step time of 1F1B: (m - 1) x slowest stage + all stages; gradient exchange, "
            "transfers, optimizer and stragglers are those of the layout as it is",
            "even split: with the best recompute setting that fits; balance: mean / slowest stage",
            *question.assumed,
        ),
    )


def _answer(
    question: Question, layout: Layout, found: Comparison, elapsed_s: float
) -> Iterator[str]:
    job, best = question.job, found.best.assignment
    yield (
        f"{job.model.name} on {job.gpus:,} x {job.cluster.gpu.name} ({job.cluster.name}): "
        f"{brief(layout)}, {len(found.problem.layers)} layers, "
        f"{found.problem.micro_batches:g} micro-batches"
    )
    yield f"Best partition (ideal): {seconds(best.step_time_s)} per step"
    yield f"{found.best.status}, in {seconds(elapsed_s)}"
    if found.even is None or found.gain is None:
        yield "Even split: fits with no recompute setting"
    else:
        even = found.even.assignment
        yield (
            f"Even split: {seconds(even.step_time_s)} per step; the best partition gains "
            f"{percent(found.gain)}; balance {even.balance:.3f} -> {best.balance:.3f}"
        )
    if found.runnable is None or found.gap is None:
        yield f"Runnable on {found.framework}: none fits with one recompute setting"
    else:
        yield (
            f"Runnable on {found.framework}: {seconds(found.runnable.assignment.step_time_s)} per "
            f"step, {percent(found.gap)} over the best"
        )
        yield f"  {found.runnable.how}"


def _tables(found: Comparison) -> Iterator[Table]:
    problem, best = found.problem, found.best.assignment
    yield stages_table(problem, best, "Best partition")
    others = ((f"runnable on {found.framework}", found.runnable), ("even split", found.even))
    rows = [("best", best), *((name, s.assignment) for name, s in others if s is not None)]
    yield Table(
        title="Compared",
        head=("partition", "step", "over best", "slowest stage", "balance", "layers", "recompute"),
        rows=tuple(
            (
                name,
                seconds(one.step_time_s),
                percent(one.step_time_s / best.step_time_s - 1),
                seconds(max(one.device_s)),
                f"{one.balance:.3f}",
                runs(one.sizes),
                recompute(problem, one, 0, len(one.choice)),
            )
            for name, one in rows
        ),
        words=(0, 5, 6),
    )


def runs(sizes: tuple[int, ...]) -> str:
    """Write layers per stage with repetitions counted: 5 14x6 7."""
    counted = ((size, len(list(same))) for size, same in groupby(sizes))
    return " ".join(f"{times}x{size}" if times > 1 else str(size) for size, times in counted)


def inner_answer(found: InnerResult, best: Plan) -> tuple[str, ...]:
    """Return what a search with exact stages answers, in a few lines.

    Beside the best plan of the search, which the framework can run, both by the closed form.
    """
    ideal = seconds(found.step_time_s)
    closed_s = best.estimate.step_time_s / (1 + (best.played or 0.0))
    over = percent(closed_s / found.step_time_s - 1)
    lines = [
        f"Ideal: {ideal} per step by the closed form, {brief(found.layout)}, stages below; {found}",
        f"The best plan above takes {seconds(closed_s)} by the closed form: {over} over the ideal",
    ]
    runnable, gap = found.comparison.runnable, found.comparison.gap
    if runnable is not None and gap is not None:
        step = seconds(runnable.assignment.step_time_s)
        lines.append(
            f"Runnable on {found.comparison.framework} in that layout: {step} per step, "
            f"{percent(gap)} over the ideal: {runnable.how}"
        )
    return tuple(lines)


def inner_table(found: InnerResult) -> Table:
    """Return the ideal stages."""
    return stages_table(found.comparison.problem, found.comparison.best.assignment, "Ideal stages")


def inner_object(found: InnerResult) -> dict[str, Any]:
    """Return the part of ``plan3d search --json`` about exact stages."""
    return {
        "layout_option": as_option(found.layout),
        "ideal": _plain(found.comparison.problem, found.comparison.best.assignment),
        "runnable": _simple(found.comparison.problem, found.comparison.runnable),
        "framework": found.comparison.framework,
        "gap_runnable": found.comparison.gap,
        "searcher": found.searcher,
        "proven": found.proven,
        "outer": found.outer,
        "solved": found.solved,
        "bound_s": found.bound_s,
    }


def stages_table(problem: Problem, assignment: Assignment, title: str) -> Table:
    """Return a table of pipeline stages: a device's time and memory stand with its first chunk."""
    slowest = max(assignment.device_s)
    rows: list[tuple[str, ...]] = []
    shown: set[int] = set()
    for chunk, (start, size) in enumerate(_windows(assignment)):
        device = int(problem.device_of[chunk])
        capacity = float(problem.devices.capacity_bytes[device])
        time_s, memory = assignment.device_s[device], assignment.memory_bytes[device]
        of_device = (seconds(time_s), percent(time_s / slowest), gib(memory), gib(capacity))
        rows.append(
            (
                str(device),
                f"{start + 1}-{start + size}",
                str(size),
                recompute(problem, assignment, start, size),
                *(("", "", "", "") if device in shown else of_device),
            )
        )
        shown.add(device)
    head = ("stage", "layers", "count", "recompute", "time", "of slowest", "GiB", "of GiB")
    return Table(title=title, head=head, rows=tuple(rows), words=(1, 3))


def recompute(problem: Problem, assignment: Assignment, start: int, size: int) -> str:
    """Return what the layers of a stage recompute, in words."""
    counts = Counter(assignment.choice[start : start + size])
    names = problem.layers.options
    if len(counts) == 1:
        return names[next(iter(counts))]
    return ", ".join(f"{count} {names[option]}" for option, count in sorted(counts.items()))


def _windows(assignment: Assignment) -> Iterator[tuple[int, int]]:
    """Yield the first layer and the number of layers of each chunk."""
    ends = accumulate(assignment.sizes)
    yield from ((end - size, size) for end, size in zip(ends, assignment.sizes, strict=True))


def as_object(
    question: Question, layout: Layout, found: Comparison, elapsed_s: float
) -> dict[str, Any]:
    """Return the object that ``--json`` prints; docs/partition.md says what each field means."""
    job, best = question.job, found.best
    return {
        "version": question.version,
        "job": {
            "model": job.model.name,
            "gpus": job.gpus,
            "hardware": job.cluster.name,
            "software": job.software.name,
            "layout_option": as_option(layout),
        },
        "micro_batches": found.problem.micro_batches,
        "ideal": {
            **_plain(found.problem, best.assignment),
            "searcher": best.searcher,
            "proven": best.proven,
            "bound_s": best.bound_s,
            "gap": best.gap,
            "note": best.note,
        },
        "even": _simple(found.problem, found.even),
        "runnable": _simple(found.problem, found.runnable),
        "framework": found.framework,
        "gain": found.gain,
        "gap_runnable": found.gap,
        "elapsed_s": elapsed_s,
    }


def _simple(problem: Problem, simple: Simple | None) -> dict[str, Any] | None:
    if simple is None:
        return None
    return {**_plain(problem, simple.assignment), "how": simple.how}


def _plain(problem: Problem, assignment: Assignment) -> dict[str, Any]:
    return {
        "step_time_s": assignment.step_time_s,
        "balance": assignment.balance,
        "layers": list(assignment.sizes),
        "recompute": [problem.layers.options[option] for option in assignment.choice],
        "stage_time_s": list(assignment.device_s),
        "memory_bytes": list(assignment.memory_bytes),
        "capacity_bytes": problem.devices.capacity_bytes.tolist(),
        "fits": assignment.fits,
    }
