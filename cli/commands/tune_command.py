"""plan3d tune: find the fastest layout by running the user's own launcher."""

from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from plan3d.cli import files, options, values
from plan3d.cli.asking import STEP, asks
from plan3d.cli.question import Question
from plan3d.planner.constraints import parse_all
from plan3d.planner.exports import flags
from plan3d.planner.tuning import PATTERNS, Reader, Template, pattern_of
from plan3d.simulator.errors import InputError

TIMEOUT_S = 900.0
"""Longest run of the user's command, unless said otherwise. [s]"""

MEASURING = "The measurement"

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "Your launcher takes Megatron-LM's flags",
        "plan3d tune --model llama-3-8b --gpus 64 --command './launch.sh {flags}'",
    ),
    (
        "It takes single values, and prints its step time in words of its own",
        "plan3d tune --model llama-3-8b --gpus 64 --command './train.sh {tp} {pp} {micro_batch}' "
        "--pattern 'took (?P<ms>[0-9.]+) ms'",
    ),
    (
        "See the first commands before anything runs",
        "plan3d tune --model gpt13b --gpus 64 --command 'env {flags}' --dry-run",
    ),
)


@command.command()
@asks(STEP)
def run(
    asked: Question,
    launch: Annotated[
        str,
        typer.Option(
            "--command",
            metavar="TEXT",
            help="What trains a few steps: './launch.sh {flags}', or with single axes such as "
            "{tp} {pp} {micro_batch}.",
            rich_help_panel=MEASURING,
        ),
    ],
    fix: options.Fix = None,
    limit: options.Limit = None,
    trials: Annotated[
        int,
        typer.Option(
            parser=values.whole,
            metavar="N",
            help="Layouts to try in all, those of an earlier call included.",
            rich_help_panel=MEASURING,
        ),
    ] = 30,
    first: Annotated[
        int,
        typer.Option(
            parser=values.whole,
            metavar="N",
            help="Best plans of the search, tried before anything is learnt.",
            rich_help_panel=MEASURING,
        ),
    ] = 3,
    timeout: Annotated[
        float | None,
        typer.Option(
            parser=values.duration,
            metavar="TIME",
            help="Longest run of the command. [default: 15m]",
            rich_help_panel=MEASURING,
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Finds a step time in the output; its one group is seconds, or named ms, s, "
            'tokens_per_s. [default: the framework\'s log line, or JSON {"step_time_s": 1.25}]',
            rich_help_panel=MEASURING,
        ),
    ] = None,
    warm_up: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="First steps that do not count.", rich_help_panel=MEASURING
        ),
    ] = 2,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, metavar="N", help="Of ties.", rich_help_panel=MEASURING),
    ] = 0,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print the first commands; run nothing.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    out: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Record NAME.jsonl (gone on from if it is there), logs NAME.logs/, corrected "
            "profile NAME.toml.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = "tune",
    json: options.Json = False,
) -> None:
    """Find the fastest layout by running your own launcher, a few steps a layout.

    The best plans of the search are tried first; each measured step corrects the model's
    predictions, which choose the next layout. Stopped, the same command goes on where it was
    (docs/tuning.md).
    """
    name = Path(out)
    if not name.name:
        raise typer.BadParameter(f"--out {out!r} is not a name; the files are called after it")
    if dry_run and json:
        raise InputError("--dry-run prints commands, --json an answer; leave out one of them")
    job, text = asked.job, pattern or PATTERNS.get(asked.framework)
    reader = Reader(
        job=job,
        pattern=pattern_of(text) if text else None,
        json_lines=pattern is None,
        warm_up=warm_up,
    )
    from plan3d.cli.tuning import Tuning, run_tuning  # noqa: PLC0415  # scipy: 0.2 s

    tuning = Tuning(
        question=asked,
        constraints=parse_all(fix, limit),
        template=Template.read(launch, job, partial(flags, asked.framework, job)),
        reader=reader,
        timeout_s=timeout or TIMEOUT_S,
        trials=trials,
        first=first,
        seed=seed,
        name=name,
    )
    files.check(tuning.record_path, tuning.profile_path)
    if tuning.profile_path.exists() and not tuning.record_path.exists():
        raise InputError(f"{tuning.profile_path} exists, and is of no record; give another --out")
    run_tuning(tuning, dry_run=dry_run, json=json)
