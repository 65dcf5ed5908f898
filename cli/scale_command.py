"""plan3d scale: the best layout for each of several numbers of GPUs."""

from typing import Annotated

import typer

from plan3d.cli import files, options, scale_report
from plan3d.cli.deliver import hand_over
from plan3d.cli.inputs import question
from plan3d.planner import frameworks
from plan3d.planner.constraints import parse_fix, parse_limit
from plan3d.planner.scaling import scale
from plan3d.simulator.errors import NothingFeasibleError

command = typer.Typer(add_completion=False, rich_markup_mode=None)


@command.command()
def run(
    model: options.Model,
    gpus: Annotated[
        str, typer.Option(metavar="A..B", help="The powers of two of 64..16384, or 64,96,128.")
    ],
    hardware: options.Hardware = None,
    seq: options.Seq = None,
    global_batch: options.GlobalBatch = None,
    precision: options.Precision = None,
    optimizer: options.Optimizer = None,
    framework: options.Framework = frameworks.DEFAULT,
    fix: options.Fix = None,
    limit: options.Limit = None,
    tokens: options.Tokens = None,
    price: options.Price = None,
    json: options.Json = False,
    markdown: options.Markdown = None,
) -> None:
    """Find the best layout for each of several numbers of GPUs, and where more stop paying."""
    files.check(markdown)
    sizes = options.counts(gpus)
    asked = question(
        model=model, gpus=sizes[0], hardware=hardware, seq=seq, global_batch=global_batch,
        precision=precision, optimizer=optimizer, framework=framework, tokens=tokens, price=price,
    )  # fmt: skip
    constraints = (*map(parse_fix, fix or ()), *map(parse_limit, limit or ()))
    points = scale(asked.job, sizes, framework=framework, constraints=constraints)
    hand_over(
        scale_report.report(asked, points),
        lambda: scale_report.as_object(asked, points),
        json=json,
        markdown=markdown,
    )
    if not any(point.plan for point in points):
        raise NothingFeasibleError("no number of GPUs has a layout that fits")
