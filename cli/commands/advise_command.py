"""plan3d advise: for the layout that runs today, what to change, in order of gain."""

from typing import Annotated, Final

import typer

from plan3d.cli import completion, files, options
from plan3d.cli.asking import STEP, asks
from plan3d.cli.chosen import chosen
from plan3d.cli.deliver import hand_over
from plan3d.cli.question import Question
from plan3d.cli.reports import advise_report
from plan3d.planner.effects import advise

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "What to change in the layout that runs today",
        "plan3d advise --model gpt175b --gpus 1024 --layout tp=8,pp=8,recompute=full",
    ),
    (
        "The same for programs",
        "plan3d advise --model gpt13b --gpus 64 --layout tp=2 --json",
    ),
)


@command.command()
@asks(STEP)
def run(
    asked: Question,
    layout: Annotated[
        str,
        typer.Option(
            metavar="AXIS=N,...",
            help="What runs today: tp=8,pp=8,...",
            autocompletion=completion.axes,
            rich_help_panel=options.LAYOUTS,
        ),
    ],
    json: options.Json = False,
    markdown: options.Markdown = None,
) -> None:
    """For the layout that runs today: what each known technique changes, in order of gain."""
    files.new(markdown)
    plan = chosen(asked, layout, asked.framework)
    advice = advise(asked.job, plan.layout, framework=asked.framework)
    hand_over(
        advise_report.report(asked, advice),
        lambda: advise_report.as_object(asked, advice),
        json=json,
        markdown=markdown,
    )
