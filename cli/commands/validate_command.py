"""plan3d validate: predictions beside what published runs measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from plan3d import hardware_profiles
from plan3d.cli import as_json, completion, files, options
from plan3d.cli.console import detail, note, say
from plan3d.cli.progress import doing
from plan3d.cli.render import show
from plan3d.cli.scores import scores
from plan3d.planner.uncertainty.coverage import coverage
from plan3d.planner.validation import elsewhere_runs, published_runs, read_runs, validate
from plan3d.planner.validation.recorded import recorded_runs
from plan3d.planner.validation.runs import Runs
from plan3d.planner.validation.unseen import unseen
from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.software import Software

GROUPS = ("suite",)
SETS: Final = {
    "published": published_runs,
    "recorded": recorded_runs,
    "elsewhere": elsewhere_runs,
}
"""The runs that ship: as their sources print them, with what their jobs recorded, and those of
other sources, which no constant was fitted to."""
UNSEEN: Final = ("time", "ranking", "memory", "oom")
"""Scores that stand beside those with constants fitted to the other suites."""
SHOWN = 5
"""Rows left out that are named one by one without --verbose."""

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    ("How good the predictions are", "plan3d validate"),
    ("The scores of each suite", "plan3d validate --by suite"),
    ("How good they are on other sources", "plan3d validate --runs elsewhere --by suite"),
    (
        "Every prediction of one suite as a table",
        "plan3d validate --suite mlm21 --csv predictions.csv",
    ),
)


class Shipped:
    """The profiles that ship with plan3d, as a validation asks for them."""

    def cluster(self, gpu: str, gpus_per_node: int, network: str) -> Cluster:
        """Return nodes of so many GPUs on a network."""
        return hardware_profiles.compose(gpu=gpu, gpus_per_node=gpus_per_node, network=network)

    def software(self, name: str) -> Software:
        """Return a software generation."""
        return hardware_profiles.software(name)


@command.command()
def run(
    runs: Annotated[
        str,
        typer.Option(
            metavar="FILE.csv",
            help="Measured runs; published: those of the papers; recorded: these, with what jobs "
            "recorded of their network and software; elsewhere: of other sources, to which no "
            "constant was fitted.",
            autocompletion=completion.one_of(*SETS),
        ),
    ] = "published",
    suite: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the runs of this suite.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="GROUP",
            help="suite: the scores of each one.",
            autocompletion=completion.one_of(*GROUPS),
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    json: options.Json = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Write every prediction as CSV.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
) -> None:
    """Compare predictions with measured runs.

    With those of the papers or of other sources, which ship with plan3d, or with your own: a CSV of
    the same columns.
    Says how far off time and memory are, how well layouts are ranked, and whether the intervals
    hold; `unseen` predicts each suite with constants fitted to the others alone.
    """
    files.new(csv)
    if by is not None and by not in GROUPS:
        raise unknown("grouping", by, GROUPS)
    found = _read(runs)
    detail(f"{runs}: {len(found.rows):,} runs")
    with doing("predicting runs") as told:
        result = validate(found.of_suite(suite) if suite else found, Shipped(), progress=told)
    _warn([f"{reason}; {where}" for reason, where in found.rejected] + list(result.doubtful))
    if not result.predictions:
        why = ", ".join(f"{reason} ({n})" for reason, n in result.skipped.items())
        raise InputError(f"{runs}: no run can be scored: {why}")
    if csv is not None:
        files.write(csv, as_json.to_csv([prediction.to_row() for prediction in result.predictions]))
    if json:
        others = unseen(result.predictions).to_json()
        beside = {
            "unseen": {name: others[name] for name in UNSEEN},
            "intervals": coverage(result.predictions).to_json(),
        }
        say(as_json.dumps({**result.to_json(), **beside}))
    else:
        with doing("scoring"):
            text = scores(result, by_suite=by == "suite")
        show(text)


def _read(runs: str) -> Runs:
    """Return the runs of a set that ships, or of a file."""
    if runs in SETS:
        return SETS[runs]()
    if not Path(runs).suffix and not Path(runs).exists():
        raise unknown("runs file or set of runs", runs, SETS)
    return read_runs(runs)


def _warn(rows: Sequence[str]) -> None:
    """Name the first rows that cannot be read, or be right; all of them if --verbose."""
    for text in rows[:SHOWN]:
        note(text)
    if len(rows) > SHOWN:
        note(f"and {len(rows) - SHOWN:,} more rows, which --verbose names")
    for text in rows[SHOWN:]:
        detail(text)
