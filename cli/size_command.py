"""plan3d size: the fewest GPUs that meet a deadline or a budget."""

from typing import Annotated

import typer

from plan3d.cli import files, options, size_report
from plan3d.cli.deliver import hand_over
from plan3d.cli.inputs import question
from plan3d.planner import frameworks
from plan3d.planner.constraints import parse_fix, parse_limit
from plan3d.planner.sizing import MOST_GPUS, Goal, size
from plan3d.simulator.errors import InputError, NothingFeasibleError

command = typer.Typer(add_completion=False, rich_markup_mode=None)


@command.command()
def run(
    model: options.Model,
    tokens: options.Tokens = None,
    days: Annotated[
        float | None,
        typer.Option(parser=options.span, metavar="N", help="Deadline: 30, 30d, 12h."),
    ] = None,
    budget: Annotated[
        float | None, typer.Option(parser=options.money, metavar="USD", help="Budget: 5M, 750k.")
    ] = None,
    most_gpus: Annotated[
        int, typer.Option(parser=options.whole, metavar="N", help="Try no more than these.")
    ] = MOST_GPUS,
    hardware: options.Hardware = None,
    seq: options.Seq = None,
    global_batch: options.GlobalBatch = None,
    precision: options.Precision = None,
    optimizer: options.Optimizer = None,
    framework: options.Framework = frameworks.DEFAULT,
    fix: options.Fix = None,
    limit: options.Limit = None,
    price: options.Price = None,
    json: options.Json = False,
    markdown: options.Markdown = None,
) -> None:
    """Find the fewest GPUs that train a number of tokens by a deadline, or within a budget."""
    files.check(markdown)
    asked = question(
        model=model, gpus=most_gpus, hardware=hardware, seq=seq, global_batch=global_batch,
        precision=precision, optimizer=optimizer, framework=framework, tokens=tokens, price=price,
    )  # fmt: skip
    if asked.tokens is None:
        raise InputError(f"{model} has no published tokens; give --tokens, such as 2T")
    if budget is not None and not asked.job.cluster.gpu.usd_per_s:
        raise InputError(f"--budget needs a rent, but {asked.job.cluster.name} has none: --price")
    goal = Goal(
        tokens=asked.tokens, within_s=days or float("inf"), within_usd=budget or float("inf")
    )
    found = size(
        asked.job,
        goal,
        framework=framework,
        constraints=(*map(parse_fix, fix or ()), *map(parse_limit, limit or ())),
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
