"""What a calibration found, as tables and as JSON."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from plan3d.cli.report import Report, Table
from plan3d.cli.words import percent, seconds
from plan3d.hardware_profiles.fit import GROUPS, Calibration, Errors, best_rates
from plan3d.hardware_profiles.points import OK
from plan3d.planner.validation.site import SiteFit


def report(found: Calibration, about: Mapping[str, str]) -> Report:
    """Return the fits of a calibration, their errors and their constants."""
    measured = sum(point.measured for point in found.points)
    return Report(
        answer=(
            f"{found.gpu}: {measured:,} points, {len(found.points) - measured:,} without a time "
            f"that counts; all else as {found.cluster.name}",
            *(f"{key}: {value}" for key, value in about.items()),
        ),
        tables=tuple(t for t in (_errors(found), _constants(found), *_extra(found)) if t.rows),
        grounds=(
            *(f"not fitted: {text}" for text in found.thin),
            "errors are of points held out: five times, a random half each; beside them those of "
            "one constant efficiency in the law's place",
        ),
    )


def _errors(found: Calibration) -> Table:
    lines = [
        (fit.law, fit.held_out, fit.one_rate, percent(GROUPS[group].median))
        for group, fits in found.fits.items()
        for fit in fits
    ]
    kernels = found.fits.get("attention", ())
    if len(kernels) > 1:
        pooled = Errors.pooled([fit.held_out for fit in kernels])
        lines.append(
            ("attention, all kernels", pooled, Errors.pooled([f.one_rate for f in kernels]), "")
        )
    rows = [
        (
            law, f"{own.points:,}", percent(own.median), percent(own.p90), percent(one.median),
            percent(one.p90), bound,
        )
        for law, own, one, bound in lines
    ]  # fmt: skip
    head = (
        "law",
        "points",
        "median error",
        "90 % below",
        "one rate: median",
        "90 % below",
        "bound",
    )
    return Table(title="Fits", head=head, rows=tuple(rows))


def _constants(found: Calibration) -> Table:
    rows = [
        (c.key, c.text, f"{c.error:.2g}{' ' * bool(c.unit)}{c.unit}", fit.law)
        for fits in found.fits.values()
        for fit in fits
        for c in fit.constants
    ]
    rows += [
        (f"stack of {site[:60]}", f"{factor:.3f}", "", fit.law)
        for fits in found.fits.values()
        for fit in fits
        for site, factor in fit.sites.items()
    ]
    return Table(
        title="Constants", head=("constant", "value", "standard error", "law"), rows=tuple(rows),
        words=(0, 3),
    )  # fmt: skip


def _extra(found: Calibration) -> list[Table]:
    """Return what is measured but no law of the profile: rates, floors, contention, no-shows."""
    rates = tuple(
        (r.name, f"{r.points}", percent(r.share), seconds(r.floor_s))
        for r in best_rates(found.points, found.cluster)
    )
    floors = tuple(
        (f"{p.shape.kind} {p.shape.op}", seconds(p.time_s), p.note)
        for p in found.points
        if p.measured and p.shape.kind in ("floor", "contention")
    )
    missing: dict[tuple[str, str], int] = {}
    for point in found.points:
        if point.status != OK:
            key = (f"{point.shape.kind} {point.shape.op}: {point.status}", point.note[:60])
            missing[key] = missing.get(key, 0) + 1
    return [
        Table(
            title="Memory-bound operators and copies (share of the peak on 32 MiB and more)",
            head=("operator", "points", "share", "least time"), rows=rates,
        ),
        Table(title="Floors and contention", head=("what", "time", ""), rows=floors, words=(0, 2)),
        Table(
            title="Not measured, or not to be trusted", head=("what", "why", "points"),
            rows=tuple((what, why, f"{n}") for (what, why), n in missing.items()), words=(0, 1),
        ),
    ]  # fmt: skip


def as_object(found: Calibration, about: Mapping[str, str]) -> dict[str, Any]:
    """Return the object that `plan3d calibrate --json` prints."""
    return {
        "gpu": found.gpu,
        "hardware": found.cluster.name,
        "about": dict(about),
        "points": len(found.points),
        "laws": [
            {
                "law": fit.law,
                "group": group,
                "points": fit.held_out.points,
                "median_error": fit.held_out.median,
                "p90_error": fit.held_out.p90,
                "one_rate_median_error": fit.one_rate.median,
                "one_rate_p90_error": fit.one_rate.p90,
                "sites": dict(fit.sites),
                "constants": {
                    c.key: {"value": c.value, "error": c.error, "unit": c.unit}
                    for c in fit.constants
                },
            }
            for group, fits in found.fits.items()
            for fit in fits
        ],
        "refused": list(found.refusals),
        "too_few": list(found.thin),
    }


def site_report(fit: SiteFit, skipped: Mapping[str, int]) -> Report:
    """Return what runs say about their site."""
    rows = tuple((n, f"{v:.3f}", f"{e:.2g}") for n, (v, e) in fit.scalars.items())
    taken = len(fit.scalars)
    return Report(
        answer=(
            f"{fit.runs} runs on {fit.cluster.name}: {taken} of their scalars taken"
            if taken
            else f"{fit.runs} runs on {fit.cluster.name}: the profile stands as it is",
            f"mean error of the step time {percent(fit.before)} with the profile, "
            f"{percent(fit.after)} on runs that a fit did not see",
        ),
        tables=tuple(
            t
            for t in (
                Table(title="Time over the profile's", head=("what", "factor", "error"), rows=rows),
                Table(
                    title="Left out", head=("runs", "number"),
                    rows=tuple((why, f"{n}") for why, n in skipped.items()),
                ),
            )
            if t.rows
        ),
        grounds=fit.left_out,
    )  # fmt: skip


def site_as_object(fit: SiteFit, skipped: Mapping[str, int]) -> dict[str, Any]:
    """Return the object that `plan3d calibrate --runs FILE --json` prints."""
    return {
        "runs": fit.runs,
        "cluster": fit.cluster.name,
        "scalars": {n: {"factor": v, "error": e} for n, (v, e) in fit.scalars.items()},
        "mean_error_before": fit.before,
        "mean_error_unseen": fit.after if np.isfinite(fit.after) else None,
        "not_taken": list(fit.left_out),
        "left_out": dict(skipped),
    }
