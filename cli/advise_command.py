"""plan3d advise: for the layout that runs today, what to change, in order of gain."""

from typing import Annotated

import typer

from plan3d.cli import advise_report, files, options
from plan3d.cli.chosen import chosen
from plan3d.cli.deliver import hand_over
from plan3d.cli.inputs import question
from plan3d.planner import frameworks
from plan3d.planner.effects import advise

command = typer.Typer(add_completion=False, rich_markup_mode=None)


@command.command()
def run(
    model: options.Model,
    gpus: options.Gpus,
    layout: Annotated[
        str, typer.Option(metavar="AXIS=N,...", help="What runs today: tp=8,pp=8,...")
    ],
    hardware: options.Hardware = None,
    seq: options.Seq = None,
    global_batch: options.GlobalBatch = None,
    precision: options.Precision = None,
    optimizer: options.Optimizer = None,
    framework: options.Framework = frameworks.DEFAULT,
    json: options.Json = False,
    markdown: options.Markdown = None,
) -> None:
    """For the layout that runs today: what each known technique changes, in order of gain."""
    files.check(markdown)
    asked = question(
        model=model, gpus=gpus, hardware=hardware, seq=seq, global_batch=global_batch,
        precision=precision, optimizer=optimizer, framework=framework,
    )  # fmt: skip
    plan = chosen(asked, layout, framework)
    advice = advise(asked.job, plan.layout, framework=framework)
    hand_over(
        advise_report.report(asked, advice),
        lambda: advise_report.as_object(asked, advice),
        json=json,
        markdown=markdown,
    )
