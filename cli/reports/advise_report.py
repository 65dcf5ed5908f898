"""What `plan3d advise` shows, and the object that it prints with ``--json``."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from plan3d.cli.as_json import of_job, of_plan
from plan3d.cli.question import Question
from plan3d.cli.report import Report, Table, grounds, job_line
from plan3d.cli.words import GIB, as_option, brief, gib, percent, seconds
from plan3d.planner.constraints import Constraint
from plan3d.planner.effects import Advice, Effect
from plan3d.simulator.result import Estimate


def report(question: Question, advice: Advice) -> Report:
    """Report what to change."""
    done = [effect for effect in advice.effects if effect.estimate is not None]
    return Report(
        answer=tuple(_answer(question, advice, done)),
        tables=tuple(
            table
            for table in (_applicable(done), _path(advice), _refused(advice.effects))
            if table.rows
        ),
        grounds=(
            "each change alone, by the model; dp, shard and what else must follow it",
            "gain: in tokens/s. What is marked * changes how training converges: batch, precision "
            "and optimizer are the user's to weigh",
            "offload: the host link is counted, the update on the CPU is not",
            *grounds(question),
        ),
    )


def _answer(question: Question, advice: Advice, done: list[Effect]) -> Iterator[str]:
    yield job_line(question)
    yield f"Today: {brief(advice.layout)}, {_figures(advice.base)}"
    helps = [e for e in done if e.fits and (e.gain or 0) > 0 and e.trial.converges_alike]
    if helps and advice.base.fits:
        first = helps[0]
        yield f"Best single change: {first.trial.change}, {_signed(first.gain or 0.0)} tokens/s"
    elif helps or not advice.base.fits:
        enough = [e.trial.change for e in done if e.fits and e.trial.converges_alike]
        yield f"It fits with {enough[0]}" if enough else "No single change makes it fit"
    else:
        yield "No single change that computes the same update helps"
    last = advice.path[-1] if advice.path else None
    if last and last.layout and last.estimate:
        yield (
            f"One change after the other ({len(advice.path)}): {brief(last.layout)}, "
            f"{_figures(last.estimate)}, {_signed(last.estimate.gain_over(advice.base))} tokens/s"
        )
    if advice.best is not None:
        yield (
            f"Best of all layouts: {brief(advice.best.layout)}, {_figures(advice.best.estimate)}, "
            f"{_signed(advice.best.estimate.gain_over(advice.base))} tokens/s"
        )


def _figures(estimate: Estimate) -> str:
    fits = "" if estimate.fits else ", does NOT fit"
    return (
        f"{seconds(estimate.step_time_s)} per step, MFU {percent(estimate.mfu)}, "
        f"{gib(estimate.memory_bytes)} of {gib(estimate.capacity_bytes)} GiB{fits}"
    )


def _signed(fraction: float) -> str:
    return f"{100 * fraction:+.1f} %"


def _applicable(done: list[Effect]) -> Table:
    """Return what each technique does, the largest gain first; what does not fit, last."""
    return Table(
        title="Techniques that apply, by gain",
        head=("technique", "change", "layout then", "gain", "step", "GiB", "change", "fits"),
        rows=tuple(
            (
                effect.trial.technique + ("" if effect.trial.converges_alike else " *"),
                effect.trial.change,
                brief(effect.layout),
                _signed(effect.gain or 0.0),
                seconds(effect.estimate.step_time_s),
                gib(effect.estimate.memory_bytes),
                f"{(effect.memory_bytes or 0.0) / GIB:+.1f}",
                "yes" if effect.fits else "no",
            )
            for effect in done
            if effect.estimate is not None and effect.layout is not None
        ),
        words=(0, 1, 2, 7),
    )


def _path(advice: Advice) -> Table:
    """Return single changes one after the other."""
    return Table(
        title="One change after the other, each the best of its neighbours",
        head=("change", "layout then", "step", "gain", "GiB"),
        rows=tuple(
            (
                str(Constraint(axis=step.axis, low=step.after, high=step.after)),
                brief(step.layout),
                seconds(step.estimate.step_time_s),
                _signed(step.gain or 0.0),
                gib(step.estimate.memory_bytes),
            )
            for step in advice.path
            if step.layout is not None and step.estimate is not None
        ),
        words=(0, 1),
    )


def _refused(found: tuple[Effect, ...]) -> Table:
    """Return what does not apply here, and why."""
    return Table(
        title="Techniques that do not apply",
        head=("technique", "change", "why"),
        rows=tuple(
            (effect.trial.technique, effect.trial.change, effect.refused.split(";")[0])
            for effect in found
            if effect.refused
        ),
        words=(0, 1, 2),
    )


def as_object(question: Question, advice: Advice) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""
    return {
        "version": question.version,
        "job": of_job(question),
        "layout_option": as_option(advice.layout),
        "base": _of_estimate(advice.base),
        "effects": [
            {
                "technique": effect.trial.technique,
                "change": effect.trial.change or None,
                "converges_alike": effect.trial.converges_alike,
                "layout_option": None if effect.layout is None else as_option(effect.layout),
                "gain": effect.gain,
                "memory_bytes_change": effect.memory_bytes,
                "estimate": None if effect.estimate is None else _of_estimate(effect.estimate),
                "refused": effect.refused or None,
            }
            for effect in advice.effects
        ],
        "path": [
            {
                "axis": step.axis,
                "before": step.before,
                "after": step.after,
                "layout_option": None if step.layout is None else as_option(step.layout),
                "estimate": None if step.estimate is None else _of_estimate(step.estimate),
            }
            for step in advice.path
        ],
        "best": None if advice.best is None else of_plan(question, advice.best),
        "assumed": list(question.assumed),
    }


def _of_estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "step_time_s": estimate.step_time_s,
        "tokens_per_s": estimate.tokens_per_s,
        "memory_bytes": estimate.memory_bytes,
        "fits": estimate.fits,
        "mfu": estimate.mfu,
        "time": asdict(estimate.time),
        "memory": asdict(estimate.memory),
    }
