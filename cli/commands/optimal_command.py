"""plan3d optimal: the compute-optimal model for a budget."""

from typing import Annotated, Final

import typer

from plan3d.cli import completion, options, values
from plan3d.cli.deliver import hand_over
from plan3d.cli.inputs import cluster_named, priced
from plan3d.cli.reports import optimal_report
from plan3d.simulator.economics import rented_s
from plan3d.simulator.errors import InputError
from plan3d.simulator.kernels import peak, usable
from plan3d.simulator.scaling_laws import budget_flop, optima

BUDGET, GPUS = "The budget, one of", "What it buys"

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "The best model for a budget of work",
        "plan3d optimal --flop 5.76e23",
    ),
    (
        "The best model for a budget of dollars",
        "plan3d optimal --budget 5M --price 2",
    ),
)


@command.command()
def run(
    flop: Annotated[
        float | None,
        typer.Option(
            parser=values.flop, metavar="C", help="Work: 5.76e23.", rich_help_panel=BUDGET
        ),
    ] = None,
    gpu_hours: Annotated[
        float | None,
        typer.Option(
            parser=values.gpu_hours, metavar="N", help="GPU hours: 1M.", rich_help_panel=BUDGET
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            parser=values.money, metavar="USD", help="Dollars: 5M.", rich_help_panel=BUDGET
        ),
    ] = None,
    hardware: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="GPUs of the hours or the rent.",
            autocompletion=completion.clusters,
            rich_help_panel=GPUS,
        ),
    ] = "dgx-h100",
    mfu: Annotated[
        float,
        typer.Option(
            parser=values.share, metavar="U", help="Share of their peak.", rich_help_panel=GPUS
        ),
    ] = 0.4,
    price: options.Price = None,
    json: options.Json = False,
) -> None:
    """Find the compute-optimal model and tokens for a budget: Chinchilla's law, and Kaplan's."""
    if sum(given is not None for given in (flop, gpu_hours, budget)) != 1:
        raise InputError("give one budget: --flop 5.76e23, --gpu-hours 1M, or --budget 5M")
    cluster = priced(cluster_named(hardware), price)
    half = usable(cluster.gpu.peaks, "bf16")
    rate, rent = peak(cluster.gpu.peaks, half), cluster.gpu.usd_per_s
    if budget is not None and not rent:
        raise InputError(f"--budget needs a rent, but {cluster.name} has none: --price")
    gpu_s = gpu_hours if budget is None else rented_s(budget, rent)
    work = flop if flop is not None else float(budget_flop(gpu_s or 0.0, rate, mfu))
    grounds = "" if flop is not None else f"{cluster.gpu.name} at MFU {mfu:.0%} in {half}"
    found = optima(work)
    hand_over(
        optimal_report.report(work, grounds, found),
        lambda: optimal_report.as_object(work, found),
        json=json,
    )
