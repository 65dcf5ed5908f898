"""plan3d cost: what a whole training run takes, failures included."""

from typing import Annotated, Final

import typer

from plan3d.cli import files, options, values
from plan3d.cli.asking import RUN, asks
from plan3d.cli.chosen import chosen
from plan3d.cli.deliver import hand_over
from plan3d.cli.inputs import reliability, site
from plan3d.cli.question import Question
from plan3d.cli.reports import cost_report
from plan3d.simulator.errors import InputError, NothingFeasibleError
from plan3d.simulator.whole_run import whole_run

FAILURES, SITE = "Failures", "The site"

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "Days, dollars, energy and failures of a run",
        "plan3d cost --model gpt175b --gpus 1024 --layout tp=8,pp=8 --tokens 300B",
    ),
    (
        "Other prices, machines that fail more often",
        "plan3d cost --model gpt13b --gpus 64 --tokens 300B --price 2 --mtbf-gpu 1000d",
    ),
)


@command.command()
@asks(RUN)
def run(
    asked: Question,
    layout: options.Layout = None,
    mtbf_gpu: Annotated[
        float | None,
        typer.Option(
            parser=values.span,
            metavar="TIME",
            help="Between failures of a GPU: 3600d.",
            rich_help_panel=FAILURES,
        ),
    ] = None,
    mtbf_node: Annotated[
        float | None,
        typer.Option(
            parser=values.span,
            metavar="TIME",
            help="Of all else in a node: 640d.",
            rich_help_panel=FAILURES,
        ),
    ] = None,
    restart: Annotated[
        float | None,
        typer.Option(
            parser=values.span,
            metavar="TIME",
            help="Before the checkpoint is read.",
            rich_help_panel=FAILURES,
        ),
    ] = None,
    storage: Annotated[
        float | None,
        typer.Option(
            parser=values.rate,
            metavar="RATE",
            help="Of a node: '1 GB/s'.",
            rich_help_panel=FAILURES,
        ),
    ] = None,
    host_share: Annotated[
        float | None,
        typer.Option(
            parser=values.amount,
            metavar="N",
            help="Power of hosts over the GPUs'.",
            rich_help_panel=SITE,
        ),
    ] = None,
    pue: Annotated[
        float | None,
        typer.Option(
            parser=values.amount,
            metavar="N",
            help="Energy of the site over the IT's.",
            rich_help_panel=SITE,
        ),
    ] = None,
    co2: Annotated[
        float | None,
        typer.Option(
            parser=values.amount,
            metavar="GRAMS",
            help="Of the grid, for a kWh.",
            rich_help_panel=SITE,
        ),
    ] = None,
    kwh: Annotated[
        float | None,
        typer.Option(
            parser=values.amount, metavar="USD", help="Price of a kWh.", rich_help_panel=SITE
        ),
    ] = None,
    json: options.Json = False,
    markdown: options.Markdown = None,
) -> None:
    """Say what a whole run takes: days, dollars, energy, CO2, failures; and how it decodes."""
    files.new(markdown)
    if asked.tokens is None:
        raise InputError(
            f"{asked.job.model.name} has no published tokens; give --tokens, such as 2T"
        )
    parts = reliability(
        gpu_mtbf_s=mtbf_gpu, node_mtbf_s=mtbf_node, restart_s=restart, node_bytes_per_s=storage
    )
    where = site(host_share=host_share, pue=pue, co2_g_per_kwh=co2, usd_per_kwh=kwh)
    plan = chosen(asked, layout, asked.framework)
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
