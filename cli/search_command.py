"""plan3d search: the best layouts of a model on a number of GPUs."""

from typing import Annotated

import typer

from plan3d.cli import as_json, files, options, report
from plan3d.cli.console import say
from plan3d.cli.inputs import constraints, evaluator, question
from plan3d.cli.render import show
from plan3d.planner.exhaustive import search
from plan3d.simulator.errors import NothingFeasibleError

command = typer.Typer(rich_markup_mode=None)


@command.command()
def run(
    model: options.Model,
    gpus: options.Gpus,
    hardware: options.Hardware = None,
    seq: options.Seq = None,
    global_batch: options.GlobalBatch = None,
    precision: options.Precision = None,
    optimizer: options.Optimizer = None,
    framework: options.Framework = "any",
    fix: Annotated[
        list[str] | None, typer.Option(metavar="AXIS=N", help="Only such layouts: tp=8.")
    ] = None,
    limit: Annotated[
        list[str] | None, typer.Option(metavar="AXIS<=N", help="Only up to this: pp<=16.")
    ] = None,
    objective: Annotated[
        str, typer.Option(help="time, cost, memory, tokens-per-dollar or pareto.")
    ] = "time",
    top: Annotated[
        int, typer.Option(parser=options.whole, metavar="N", help="How many plans to show.")
    ] = 5,
    tokens: options.Tokens = None,
    price: options.Price = None,
    fidelity: options.Fidelity = "analytical",
    json: options.Json = False,
    csv: options.Csv = None,
    markdown: options.Markdown = None,
) -> None:
    """Find the best layouts of a model on a number of GPUs."""
