"""plan3d scale: the best layout for each of several numbers of GPUs."""

from typing import Annotated, Final

import typer

from plan3d.cli import files, options, values
from plan3d.cli.asking import RUN, Ask, offers
from plan3d.cli.deliver import hand_over
from plan3d.cli.reports import scale_report
from plan3d.planner.constraints import parse_all
from plan3d.planner.scaling import scale
from plan3d.simulator.errors import NothingFeasibleError

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "Where more GPUs stop paying",
        "plan3d scale --model gpt13b --gpus 64..512",
    ),
    (
        "Some numbers of GPUs, on other hardware",
        "plan3d scale --model llama-3-8b --gpus 64,96,128 --hardware dgx-h100",
    ),
)


@command.command()
@offers([name for name in RUN if name != "gpus"])
def run(
    ask: Ask,
    gpus: Annotated[
        values.Counts,
        typer.Option(
            parser=values.counts,
            metavar="A..B",
            help="The powers of two of 64..16384, or 64,96,128.",
            rich_help_panel=options.QUESTION,
        ),
    ],
    fix: options.Fix = None,
    limit: options.Limit = None,
    json: options.Json = False,
    markdown: options.Markdown = None,
) -> None:
    """Find the best layout for each of several numbers of GPUs, and where more stop paying."""
    files.new(markdown)
    asked = ask(gpus=gpus[0])
    points = scale(asked.job, gpus, framework=asked.framework, constraints=parse_all(fix, limit))
    hand_over(
        scale_report.report(asked, points),
        lambda: scale_report.as_object(asked, points),
        json=json,
        markdown=markdown,
    )
    if not any(point.plan for point in points):
        raise NothingFeasibleError("no number of GPUs has a layout that fits")
