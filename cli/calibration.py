"""What `plan3d calibrate` does with points and with runs, once its options are read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from plan3d import hardware_profiles
from plan3d.cli import as_json, files
from plan3d.cli.commands.validate_command import Shipped
from plan3d.cli.console import detail, note, say
from plan3d.cli.progress import doing
from plan3d.cli.render import show
from plan3d.cli.reports import calibration_report
from plan3d.hardware_profiles.fit import Calibration, calibrate, changes_toml, choose, profile_toml
from plan3d.hardware_profiles.points import Point, read_points
from plan3d.planner.validation import read_runs
from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.rows import Case, case_of
from plan3d.planner.validation.site import fit_site


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which points are fitted, beside which cluster."""

    gpu: str = ""
    site: str = ""
    hardware: str | None = None


def of_points(
    paths: Sequence[Path], name: Path | None, laws: Sequence[str], choice: Choice, *, json: bool
) -> None:
    """Fit points and report; write a profile and figures if a name is given and the fit is good.

    Ends with exit code 1 where a fit is too far off for a profile.
    """
    points, about = _read(paths)
    gpu, own = choose(points, choice.gpu, choice.site)
    base = choice.hardware or hardware_profiles.usual_cluster(gpu)
    with doing("fitting laws"):
        found = calibrate(own, gpu, hardware_profiles.load(base), laws)
    if json:
        say(as_json.dumps(calibration_report.as_object(found, about)))
    else:
        show(calibration_report.report(found, about))
    if name is not None:
        _write(found, name, base, about)
    if found.refusals:
        say("plan3d: no profile: " + "; ".join(found.refusals), error=True)
        older = None if name is None else name.with_name(f"{name.name}.toml")
        if older is not None and older.exists():
            say(f"plan3d: {older} is of an earlier fit", error=True)
        left = ",".join(group for group in found.fits if group not in _refused(found))
        if left:
            say(f"plan3d: what is within bounds can be had with --only {left}", error=True)
        raise typer.Exit(1)


def of_runs(path: Path, name: Path | None, *, json: bool) -> None:
    """Fit a site's scalars to its training runs and report; write a profile if a name is given."""
    found = read_runs(path)
    detail(f"{path}: {len(found.rows):,} runs")
    cases, skipped = [], dict(found.skipped)
    for run in found.rows:
        try:
            cases.append(case_of(run, Shipped()))
        except SkipError as reason:
            skipped[str(reason)] = skipped.get(str(reason), 0) + 1
    with doing("fitting scalars"):
        fit = fit_site(cases)
    if json:
        say(as_json.dumps(calibration_report.site_as_object(fit, skipped)))
    else:
        show(calibration_report.site_report(fit, skipped))
    if name is not None:
        origin = f"plan3d calibrate --runs: {fit.runs} runs of this site, {', '.join(fit.scalars)}"
        timed = next(case for case in cases if case.measured_s)
        text = changes_toml(timed.cluster, fit.cluster, _parts(timed), origin)
        files.write(name.with_name(f"{name.name}.toml"), text)


def _read(paths: Sequence[Path]) -> tuple[list[Point], dict[str, str]]:
    """Return the points of all files, and what they say they were measured on."""
    points: list[Point] = []
    about: dict[str, str] = {}
    for path in paths:
        found = read_points(path)
        points += found.points
        detail(f"{path}: {len(found.points):,} points")
        about.update(found.about)
        if found.cut_short:
            note(f"{path}: the last line was cut short and is left out")
    return points, about


def _refused(found: Calibration) -> set[str]:
    refused = {text.partition(":")[0] for text in found.refusals}
    return {group for group, fits in found.fits.items() if refused & {f.law for f in fits}}


def _write(found: Calibration, name: Path, base: str, about: Mapping[str, str]) -> None:
    """Write the figures, and the profile if nothing speaks against it."""
    from plan3d.cli import calibration_figures  # noqa: PLC0415  # matplotlib: 0.5 s

    made: list[tuple[Path, str | bytes]] = []
    for fits in found.fits.values():
        for fit in fits:
            law = re.sub(r"[^a-z0-9]+", "-", fit.law.lower()).strip("-")
            image = calibration_figures.image(fit, found.gpu)
            made.append((name.with_name(f"{name.name}.{law}.png"), image))
    if not found.refusals:
        made.append((name.with_name(f"{name.name}.toml"), profile_toml(found, base, about)))
    for path, content in made:
        files.write(path, content)


def _parts(case: Case) -> dict[str, object]:
    """Return the names of the shipped parts of a case's cluster."""
    gpu, gpus_per_node, network = case.cluster_name
    parts = {**hardware_profiles.usual(gpu), "gpu": gpu}
    if network:
        parts["network"] = network
    return {**parts, "gpus_per_node": gpus_per_node or parts["gpus_per_node"]}
