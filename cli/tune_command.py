"""plan3d tune: find the fastest layout by running the user's own launcher."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from plan3d.cli import files, options
from plan3d.cli.inputs import question
from plan3d.cli.tuning import Tuning, run_tuning
from plan3d.planner import frameworks
from plan3d.planner.constraints import parse_fix, parse_limit
from plan3d.planner.exports import flags
from plan3d.planner.tuning import PATTERNS, Reader, Template, pattern_of

TIMEOUT_S = 900.0
"""Longest run of the user's command, unless said otherwise. [s]"""

command = typer.Typer(add_completion=False, rich_markup_mode=None)


@command.command()
def run(
    model: options.Model,
    gpus: options.Gpus,
    launch: Annotated[
        str,
        typer.Option(
            "--command",
            metavar="TEXT",
            help="What trains a few steps: './launch.sh {flags}', or with single axes such as "
            "{tp} {pp} {micro_batch}.",
        ),
    ],
    hardware: options.Hardware = None,
    seq: options.Seq = None,
    global_batch: options.GlobalBatch = None,
    precision: options.Precision = None,
    optimizer: options.Optimizer = None,
    framework: options.Framework = frameworks.DEFAULT,
    fix: Annotated[
        list[str] | None, typer.Option(metavar="AXIS=N", help="Only such layouts: tp=8.")
    ] = None,
    limit: Annotated[
        list[str] | None, typer.Option(metavar="AXIS<=N", help="Only up to this: pp<=16.")
    ] = None,
    trials: Annotated[
        int,
        typer.Option(
            parser=options.whole,
            metavar="N",
            help="Layouts to try in all, those of an earlier call included.",
        ),
    ] = 30,
    first: Annotated[
        int,
        typer.Option(
            parser=options.whole,
            metavar="N",
            help="Best plans of the search, tried before anything is learnt.",
        ),
    ] = 3,
    timeout: Annotated[
        float | None,
        typer.Option(
            parser=options.duration,
            metavar="TIME",
            help="Longest run of the command. [default: 15m]",
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Finds a step time in the output; its one group is seconds, or named ms, s, "
            'tokens_per_s. [default: the framework\'s log line, or JSON {"step_time_s": 1.25}]',
        ),
    ] = None,
    warm_up: Annotated[
        int, typer.Option(min=0, metavar="N", help="First steps that do not count.")
    ] = 2,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="Of ties.")] = 0,
    out: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Record NAME.jsonl (gone on from if it is there), logs NAME.logs/, corrected "
            "profile NAME.toml.",
        ),
    ] = "tune",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the first commands; run nothing.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Find the fastest layout by running your own launcher, a few steps a layout.

    The best plans of the search are tried first; each measured step corrects the model's
    predictions, which choose the next layout. Stopped, the same command goes on where it was.
    """  # fmt: skip
    name = Path(out)
    if not name.name:
        raise typer.BadParameter(f"--out {out!r} is not a name; the files are called after it")
    asked = question(
        model=model,
        gpus=gpus,
        hardware=hardware,
        seq=seq,
        global_batch=global_batch,
        precision=precision,
        optimizer=optimizer,
        framework=framework,
    )
    job, text = asked.job, pattern or PATTERNS.get(framework)
    reader = Reader(
        job=job,
        pattern=pattern_of(text) if text else None,
        json_lines=pattern is None,
        warm_up=warm_up,
    )
    tuning = Tuning(
        question=asked,
        framework=framework,
        hardware=hardware,
        constraints=(*map(parse_fix, fix or ()), *map(parse_limit, limit or ())),
        template=Template.read(launch, job, partial(flags, framework, job)),
        reader=reader,
        timeout_s=timeout or TIMEOUT_S,
        trials=trials,
        first=first,
        seed=seed,
        name=name,
    )
    files.check(tuning.record_path, tuning.profile_path)
    run_tuning(tuning, dry_run=dry_run, json=json)
