"""plan3d compare: layouts, plans or hardware side by side, their differences explained."""

from typing import Annotated

import typer

from plan3d.cli import compare_report, files, options
from plan3d.cli.deliver import hand_over
from plan3d.cli.subjects import compared
from plan3d.planner import frameworks

command = typer.Typer(add_completion=False, rich_markup_mode=None)


@command.command()
def run(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="A B...", help="Layouts tp=8,pp=8, or plans: plans.json#1."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="As for search; plans of files have theirs.")
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(parser=options.whole, metavar="N", help="GPUs of the job.")
    ] = None,
    hardware: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Once, or twice and more to compare clusters."),
    ] = None,
    seq: options.Seq = None,
    global_batch: options.GlobalBatch = None,
    precision: options.Precision = None,
    optimizer: options.Optimizer = None,
    framework: options.Framework = frameworks.DEFAULT,
    tokens: options.Tokens = None,
    price: options.Price = None,
    json: options.Json = False,
    markdown: options.Markdown = None,
) -> None:
    """Compare layouts, plans or hardware side by side, and explain what differs term by term."""
    files.check(markdown)
    asked = {
        "model": model, "gpus": gpus, "seq": seq, "global_batch": global_batch,
        "precision": precision, "optimizer": optimizer, "framework": framework, "tokens": tokens,
        "price": price,
    }  # fmt: skip
    found = compared(what or (), hardware or (), asked)
    hand_over(
        compare_report.report(found),
        lambda: compare_report.as_object(found),
        json=json,
        markdown=markdown,
    )
