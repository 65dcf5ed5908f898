"""plan3d cost: what a whole training run takes, failures included."""

from typing import Annotated

import typer

from plan3d.cli import cost_report, files, options
from plan3d.cli.chosen import chosen
from plan3d.cli.deliver import hand_over
from plan3d.cli.inputs import question, reliability, site
from plan3d.planner import frameworks
from plan3d.simulator.errors import InputError, NothingFeasibleError
from plan3d.simulator.whole_run import whole_run

command = typer.Typer(add_completion=False, rich_markup_mode=None)


@command.command()
def run(
    model: options.Model,
    gpus: options.Gpus,
    layout: options.Layout = None,
    hardware: options.Hardware = None,
    seq: options.Seq = None,
    global_batch: options.GlobalBatch = None,
    precision: options.Precision = None,
    optimizer: options.Optimizer = None,
    framework: options.Framework = frameworks.DEFAULT,
    tokens: options.Tokens = None,
    price: options.Price = None,
    mtbf_gpu: Annotated[
        float | None,
        typer.Option(parser=options.span, metavar="TIME", help="Between failures of a GPU: 3600d."),
    ] = None,
    mtbf_node: Annotated[
        float | None,
        typer.Option(parser=options.span, metavar="TIME", help="Of all else in a node: 640d."),
    ] = None,
    restart: Annotated[
        float | None,
        typer.Option(parser=options.span, metavar="TIME", help="Before the checkpoint is read."),
    ] = None,
    storage: Annotated[
        float | None,
        typer.Option(parser=options.rate, metavar="RATE", help="Of a node: '1 GB/s'."),
    ] = None,
    host_share: Annotated[
        float | None,
        typer.Option(parser=options.amount, metavar="N", help="Power of hosts over the GPUs'."),
    ] = None,
    pue: Annotated[
        float | None,
        typer.Option(parser=options.amount, metavar="N", help="Energy of the site over the IT's."),
    ] = None,
    co2: Annotated[
        float | None,
        typer.Option(parser=options.amount, metavar="GRAMS", help="Of the grid, for a kWh."),
    ] = None,
    kwh: Annotated[
        float | None, typer.Option(parser=options.amount, metavar="USD", help="Price of a kWh.")
    ] = None,
    json: options.Json = False,
    markdown: options.Markdown = None,
) -> None:
    """Say what a whole run takes: days, dollars, energy, CO2, failures; and how it decodes."""
    files.check(markdown)
    asked = question(
        model=model, gpus=gpus, hardware=hardware, seq=seq, global_batch=global_batch,
        precision=precision, optimizer=optimizer, framework=framework, tokens=tokens, price=price,
    )  # fmt: skip
    if asked.tokens is None:
        raise InputError(f"{model} has no published tokens; give --tokens, such as 2T")
    parts = reliability(
        gpu_mtbf_s=mtbf_gpu, node_mtbf_s=mtbf_node, restart_s=restart, node_bytes_per_s=storage
    )
    where = site(host_share=host_share, pue=pue, co2_g_per_kwh=co2, usd_per_kwh=kwh)
    plan = chosen(asked, layout, framework)
    job = asked.job
    found = whole_run(
        job.model, job.work, job.cluster, plan.estimate, asked.tokens, parts=parts, site=where
    )
    hand_over(
        cost_report.report(asked, plan, found, parts, where),
        lambda: cost_report.as_object(asked, plan, found, parts, where),
        json=json,
        markdown=markdown,
    )
    if not plan.estimate.fits:
        raise NothingFeasibleError("the layout does not fit; plan3d search finds some that do")
