"""What `plan3d timeline` shows, and the object that it prints with ``--json``."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from plan3d.cli.played import Played
from plan3d.cli.report import Report, Table
from plan3d.cli.timeline_text import LEGEND, picture
from plan3d.cli.words import as_option, brief, gib, percent, seconds
from plan3d.simulator.layout import Schedule
from plan3d.simulator.timeline import Timeline

PIPED = 120
"""Columns of a picture where there is no terminal."""

CAUSES = ("warm_up_s", "cool_down_s", "imbalance_s", "transfer_s")
"""Why a rank idles: fields of `Timeline`."""


def title(found: Played) -> tuple[str, str]:
    """Return what is played, and what came of it, a line each."""
    job = found.question.job
    layout = replace(found.layout, schedule=Schedule.ONE_F_ONE_B)  # it is named in full
    return (
        f"{job.model.name} on {job.gpus:,} x {job.cluster.gpu.name}: {brief(layout)}, "
        f"{found.schedule}, {found.micro_batches:,} micro-batches",
        f"pipeline {seconds(found.pipeline_s)}, {percent(found.share)} of the step; "
        f"bubble {percent(found.bubble)}",
    )


def report(found: Played, *, terminal: bool) -> Report:
    """Report a pipeline that was played."""
    return Report(
        answer=tuple(_answer(found, terminal)),
        tables=(ranks_table(found.line),),
        grounds=(
            "warm-up: idle until the first backward pass can start; cool-down: after the last "
            "forward pass; imbalance: for another rank in between; transfer: for an input on its "
            "way",
            "activations: kept at the peak, in GiB",
            "closed form: the pipeline's terms of plan3d estimate",
            *found.question.assumed,
        ),
    )


def _answer(found: Played, terminal: bool) -> Iterator[str]:
    line, estimate = found.line, found.estimate
    what, came = title(found)
    yield what
    yield came[0].upper() + came[1:]
    if found.apart:
        yield (
            f"Makespan {seconds(float(line.makespan_s))}: ranks end as staggered as they began, "
            "and may start the next step so; a rank's own time counts"
        )
    apart = "the same" if abs(found.difference) < 5e-5 else f"{found.difference:+.2%} when played"
    yield f"Closed form: {seconds(found.closed_s)}; {apart}"
    if not estimate.fits:
        yield (
            f"The layout does NOT fit: {gib(estimate.memory_bytes)} of "
            f"{gib(estimate.capacity_bytes)} GiB"
        )
    width = shutil.get_terminal_size().columns if terminal else PIPED
    rows = picture(line, width)
    yield ""
    if rows:
        yield from rows
        yield LEGEND
    else:
        yield (
            f"The picture does not fit into {width} columns: --micro-batches N plays fewer, "
            "--png FILE draws it"
        )


def ranks_table(line: Timeline) -> Table:
    """Return what every rank does, and why it idles."""
    whole = float(line.makespan_s)
    return Table(
        title="Ranks",
        head=("rank", "busy", "idle", "of makespan", "warm-up", "cool-down", "imbalance",
              "transfer", "activations"),
        rows=tuple(
            (
                str(rank),
                seconds(whole - idle),
                seconds(idle),
                percent(idle / whole),
                *(seconds(float(getattr(line, cause)[rank])) for cause in CAUSES),
                gib(line.peak_activations[rank]),
            )
            for rank, idle in enumerate(line.idle_s.tolist())
        ),
        words=(),
    )  # fmt: skip


def as_object(found: Played) -> dict[str, Any]:
    """Return the object that ``--json`` prints; docs/timeline.md says what each field means."""
    job, line = found.question.job, found.line
    whole = float(line.makespan_s)
    return {
        "version": found.question.version,
        "job": {
            "model": job.model.name,
            "gpus": job.gpus,
            "hardware": job.cluster.name,
            "software": job.software.name,
            "seq": job.work.seq,
            "global_batch": job.work.global_batch,
            "layout_option": as_option(found.layout),
        },
        "schedule": found.schedule,
        "micro_batches": found.micro_batches,
        "operations": len(line.program),
        "makespan_s": whole,
        "pipeline_s": found.pipeline_s,
        "closed_form_s": found.closed_s,
        "difference": found.difference,
        "step_share": found.share,
        "bubble": found.bubble,
        "fits": found.estimate.fits,
        "ranks": [
            {
                "rank": rank,
                "busy_s": whole - idle,
                "idle_s": idle,
                **{cause: float(getattr(line, cause)[rank]) for cause in CAUSES},
                "span_s": float(line.span_s[rank]),
                "peak_activations_bytes": float(line.peak_activations[rank]),
            }
            for rank, idle in enumerate(line.idle_s.tolist())
        ],
        "assumed": list(found.question.assumed),
    }
