"""plan3d check: whole training steps, predicted and measured on this machine."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from plan3d.cli import as_json, completion, files, options
from plan3d.cli.console import detail, say
from plan3d.cli.inputs import cluster_named
from plan3d.cli.progress import doing
from plan3d.cli.render import show
from plan3d.cli.reports.check_report import report
from plan3d.hardware_profiles.whole_step import devices, grid
from plan3d.hardware_profiles.whole_step.compare import Comparison, Pair, predict
from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.hardware import Cluster

IMAGES = ("png", "svg", "pdf")
FAILED = 1
"""Exit code of a check outside its tolerance."""

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    ("This machine's GPU", "plan3d check"),
    ("Any machine, memory only", "plan3d check --device cpu"),
    (
        "A profile of your own, with a picture",
        "plan3d check --hardware mine.toml --plot check.png --csv check.csv",
    ),
)


def tolerance_of(value: str | float) -> float:
    """Read a tolerance: a fraction such as 0.12; a default is one already."""
    text = str(value)
    number = float(text) if re.fullmatch(r"\d?\.?\d{1,6}", text, re.ASCII) else 0.0
    if not 0 < number < 1:
        raise typer.BadParameter(f"{text!r} is not a fraction between 0 and 1, such as 0.12")
    return number


@command.command()
def run(
    device: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="cuda, or cpu: memory only.",
            autocompletion=completion.one_of(devices.CUDA, devices.CPU),
        ),
    ] = devices.CUDA,
    hardware: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Profile to predict with: a cluster or a TOML file. [default: the GPU's own]",
            autocompletion=completion.clusters,
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(
            parser=tolerance_of,
            metavar="X",
            help="Passed where the median of |predicted / measured - 1| is at most this, for step "
            "time and for peak memory, and nothing predicted to fit by it runs out of memory.",
        ),
    ] = 0.12,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="STYLE",
            help="gpt or llama. [default: both]",
            autocompletion=completion.one_of(*grid.STYLES),
        ),
    ] = None,
    json: options.Json = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write every configuration as CSV, too.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw predicted against measured: .png, .svg or .pdf.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
) -> None:
    """Predict whole training steps of small models, and measure them on this machine.

    Needs torch. Says how far predictions and measurements are apart in step time and peak memory;
    the exit code is 1 where they are further apart than the tolerance.
    """
    files.new(csv, plot)
    if plot is not None and plot.suffix[1:] not in IMAGES:
        raise InputError(f"--plot {plot}: not a picture; its name ends in .png, .svg or .pdf")
    if only is not None and only not in grid.STYLES:
        raise unknown("style", only, grid.STYLES)
    cluster = None if hardware is None else cluster_named(hardware)
    name = devices.ready(device)
    profile = cluster or _own(name)
    detail(f"{name}, predicted with {profile.name}, digest {profile.digest}")
    result = compared(device, name, profile, only, tolerance)
    _write(result, csv, plot)
    if json:
        say(as_json.dumps(result.to_json()))
    else:
        show(report(result))
    if not result.passed:
        raise typer.Exit(FAILED)


def compared(
    device: str, name: str, cluster: Cluster, only: str | None, tolerance: float
) -> Comparison:
    """Return the comparison of all configurations, or of those of one style."""
    cases = grid.CPU if device == devices.CPU else grid.GPU
    wanted = [case for case in cases if only in (None, case.style)]
    return Comparison(
        device=name, cluster=cluster.name, digest=cluster.digest, tolerance=tolerance,
        pairs=tuple(_pairs(wanted, device, cluster)),
    )  # fmt: skip


def _own(name: str) -> Cluster:
    """Return the cluster of the device: any with fused attention for the memory of a CPU's run."""
    return cluster_named(devices.STAND_IN) if name == devices.CPU else devices.cluster_of(name)


def _pairs(cases: Sequence[grid.Case], device: str, cluster: Cluster) -> Iterator[Pair]:
    """Measure one configuration after the other, saying on a terminal which."""
    from plan3d.hardware_profiles.whole_step.training import measure  # noqa: PLC0415  # torch: 2 s

    with doing("measuring steps") as told:
        for done, case in enumerate(cases):
            told(done, len(cases), str(case))
            yield Pair(case=case, predicted=predict(case, cluster), measured=measure(case, device))


def _write(result: Comparison, csv: Path | None, plot: Path | None) -> None:
    """Write the files, once both are made."""
    made: list[tuple[Path, str | bytes]] = []
    if csv is not None:
        made.append((csv, as_json.to_csv([pair.to_row() for pair in result.pairs])))
    if plot is not None:
        from plan3d.cli.check_plot import image  # noqa: PLC0415  # matplotlib: 0.5 s

        made.append((plot, image(result, plot.suffix[1:])))
    for path, content in made:
        files.write(path, content)
