"""plan3d size: the fewest GPUs that meet a deadline or a budget."""

from typing import Annotated, Final

import typer

from plan3d.cli import files, options, values
from plan3d.cli.asking import RUN, Ask, offers
from plan3d.cli.deliver import hand_over
from plan3d.cli.reports import size_report
from plan3d.planner.constraints import parse_all
from plan3d.planner.sizing import MOST_GPUS, Goal, size
from plan3d.simulator.errors import InputError, NothingFeasibleError

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "The fewest GPUs for a month",
        "plan3d size --model gpt13b --tokens 300B --days 30 --most-gpus 1024",
    ),
    (
        "The fewest within a budget",
        "plan3d size --model gpt13b --tokens 300B --budget 5M --most-gpus 1024",
    ),
)


@command.command()
@offers([name for name in RUN if name != "gpus"])
def run(
    ask: Ask,
    days: Annotated[
        float | None,
        typer.Option(
            parser=values.span,
            metavar="N",
            help="Deadline: 30, 30d, 12h.",
            rich_help_panel=options.WHOLE_RUN,
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            parser=values.money,
            metavar="USD",
            help="Budget: 5M, 750k.",
            rich_help_panel=options.WHOLE_RUN,
        ),
    ] = None,
    most_gpus: Annotated[
        int,
        typer.Option(
            parser=values.whole,
            metavar="N",
            help="Try no more than these.",
            rich_help_panel=options.QUESTION,
        ),
    ] = MOST_GPUS,
    fix: options.Fix = None,
    limit: options.Limit = None,
    json: options.Json = False,
    markdown: options.Markdown = None,
) -> None:
    """Find the fewest GPUs that train a number of tokens by a deadline, or within a budget."""
    files.new(markdown)
    asked = ask(gpus=most_gpus)
    if asked.tokens is None:
        raise InputError(
            f"{asked.job.model.name} has no published tokens; give --tokens, such as 2T"
        )
    if budget is not None and not asked.job.cluster.gpu.usd_per_s:
        raise InputError(f"--budget needs a rent, but {asked.job.cluster.name} has none: --price")
    goal = Goal(
        tokens=asked.tokens, within_s=days or float("inf"), within_usd=budget or float("inf")
    )
    found = size(
        asked.job,
        goal,
        framework=asked.framework,
        constraints=parse_all(fix, limit),
        most_gpus=most_gpus,
    )
    hand_over(
        size_report.report(asked, found),
        lambda: size_report.as_object(asked, found),
        json=json,
        markdown=markdown,
    )
    if found.answer is None:
        raise NothingFeasibleError("no number of GPUs that was tried meets the goal")
