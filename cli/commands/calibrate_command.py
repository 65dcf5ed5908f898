"""plan3d calibrate: measure this machine, or fit someone else's measurements."""

from pathlib import Path
from typing import Annotated, Final

import typer

from plan3d import hardware_profiles
from plan3d.cli import completion, files, options, values
from plan3d.simulator.errors import InputError

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "Measure this machine's GPU for five minutes: mine.toml and figures",
        "plan3d calibrate --budget 5m --out mine",
    ),
    (
        "Fit points that were measured before, also of someone else's",
        "plan3d calibrate --from mine.points.csv --out mine",
    ),
    ("A site's few scalars from its own training runs", "plan3d calibrate --runs runs.csv"),
    (
        "On a node: links between its GPUs, too",
        "torchrun --nproc-per-node 8 -m plan3d.cli calibrate --out mine",
    ),
)

DEVICES = ("cuda", "cpu")
FITTING, MEASURING = "What is fitted", "How it is measured"
"""Groups of options."""
BUDGET_S = 300.0
"""Time to measure, unless said otherwise. [s]"""


@command.command()
def run(
    points: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="FILE.csv",
            help="Fit these points; measure nothing.",
            rich_help_panel=FITTING,
        ),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Fit a site's few scalars to its own training runs.",
            rich_help_panel=FITTING,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Write NAME.toml and figures; when measuring NAME.points.csv, too, and go on "
            "from it if it is there. [default: calibration, when measuring]",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="cuda, or cpu: a small trial. [default: cuda]",
            autocompletion=completion.one_of(*DEVICES),
            rich_help_panel=MEASURING,
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            parser=values.duration,
            metavar="TIME",
            help="Time to measure. [default: 5m]",
            rich_help_panel=MEASURING,
        ),
    ] = None,
    only: Annotated[
        str,
        typer.Option(
            metavar="LAW,...",
            help="gemm, fp8, attention, memory, host, node, network.",
            rich_help_panel=FITTING,
        ),
    ] = "",
    gpu: Annotated[
        str, typer.Option(metavar="NAME", help="The points of this GPU.", rich_help_panel=FITTING)
    ] = "",
    site: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="Points of sites with this text in their name.",
            rich_help_panel=FITTING,
        ),
    ] = "",
    hardware: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Cluster for all that is not fitted. [default: the GPU's]",
            autocompletion=completion.clusters,
            rich_help_panel=FITTING,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Of the random operands. [default: 0]",
            rich_help_panel=MEASURING,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure this machine's kernels and links and fit a hardware profile to them.

    The profile goes to --hardware of the other commands (docs/calibration.md). With --from fit
    measured points, with --runs a site's scalars; neither needs a GPU. Where a fit is too far off
    for a profile none is written, and the exit code is 1.
    """
    measuring = points is None and runs is None
    if points is not None and runs is not None:
        raise InputError("--from and --runs are two different fits; give one of them")
    if not measuring and (device, budget, seed) != (None, None, None):
        raise InputError("--device, --budget and --seed are for measuring; --from, --runs do not")
    if runs is not None and (only or gpu or site or hardware):
        raise InputError("--only, --gpu, --site and --hardware are for points, not for --runs")
    if device is not None and device not in DEVICES:
        raise InputError(f"no device {device!r}; there are: {', '.join(DEVICES)}")
    name = Path(out) if out else Path("calibration") if measuring else None
    if name is not None and not name.name:
        raise InputError(f"--out {out}: not a name; NAME.toml and the figures are called after it")
    if hardware is not None:
        hardware_profiles.load(hardware)
    if name is not None:
        files.check(name.with_name(f"{name.name}.toml"))
    from plan3d.cli import calibration  # noqa: PLC0415  # scipy: 0.2 s that --help need not pay

    laws = tuple(word for word in only.split(",") if word)
    if runs is not None:
        calibration.of_runs(runs, name, json=json)
        return
    if name is not None and measuring:
        from plan3d.cli import measuring as measurements  # noqa: PLC0415  # all models: 0.1 s

        asked = measurements.Measuring(
            device=device or "cuda", budget_s=budget or BUDGET_S, seed=seed or 0, laws=laws,
            hardware=hardware,
        )  # fmt: skip
        if not measurements.measured(asked, name, json=json):
            return
        points = [measurements.points_file(name)]
    choice = calibration.Choice(gpu=gpu, site=site, hardware=hardware)
    calibration.of_points(points or [], name, laws, choice, json=json)
