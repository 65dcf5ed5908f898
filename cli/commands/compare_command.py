"""plan3d compare: layouts, plans or hardware side by side, their differences explained."""

from functools import partial
from typing import Annotated, Final

import typer

from plan3d.cli import completion, files, options
from plan3d.cli.asking import WORK, Ask, offers
from plan3d.cli.deliver import hand_over
from plan3d.cli.reports import compare_report
from plan3d.cli.subjects import compared

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "Two layouts, term by term",
        "plan3d compare tp=8,pp=8 tp=4,pp=8 --model gpt175b --gpus 1024",
    ),
    (
        "Two clusters",
        "plan3d compare --model gpt13b --gpus 64 --hardware dgx-a100-80g --hardware dgx-h100",
    ),
)


@command.command()
@offers([*WORK, "framework", "tokens", "price"])
def run(
    ask: Ask,
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="A B...", help="Layouts tp=8,pp=8, or plans: plans.json#1."),
    ] = None,
    model: options.MaybeModel = None,
    gpus: options.MaybeGpus = None,
    hardware: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Once, or twice and more to compare clusters.",
            autocompletion=completion.clusters,
            rich_help_panel=options.QUESTION,
        ),
    ] = None,
    json: options.Json = False,
    markdown: options.Markdown = None,
) -> None:
    """Compare layouts, plans or hardware side by side, and explain what differs term by term."""
    files.new(markdown)
    found = compared(what or (), hardware or (), partial(ask, model=model, gpus=gpus))
    hand_over(
        compare_report.report(found),
        lambda: compare_report.as_object(found),
        json=json,
        markdown=markdown,
    )
