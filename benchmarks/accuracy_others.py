"""Predictions beside runs of other sources, which no constant was fitted to."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import numpy as np
from accuracy_table import percent

from plan3d.cli.commands.validate_command import Shipped
from plan3d.planner.uncertainty.calibration import Calibration
from plan3d.planner.uncertainty.coverage import inside_time
from plan3d.planner.validation import Sweep, Validation, elsewhere_runs, validate

HEAD = ("suite", "source", "runs", "mean error", "bias", "inside the 90 % interval of the others")
SWEEPS_HEAD = ("suite", "sweeps", "runs", "tau", "regret", "largest regret")


@cache
def result() -> Validation:
    """Return the validation against the runs of other sources."""
    return validate(elsewhere_runs(), Shipped())


def others(left_out: Mapping[str, Calibration]) -> Iterator[tuple[str, ...]]:
    """Yield a row of `HEAD` for each source, and last their means: the other-source score.

    The intervals are by source: those that all others teach.
    """
    time = result().time
    names = {p.run.suite: p.run.source for p in result().predictions}
    inside = _inside(left_out)
    for name, s in time.suites.items():
        shares = map(percent, (s.mape, s.bias, inside[name]))
        yield name, names[name], str(s.n), *shares
    means = (time.macro_mape or 0.0, time.macro_bias or 0.0, float(np.mean(list(inside.values()))))
    runs = str(sum(s.n for s in time.suites.values()))
    yield "all", "other-source score", runs, *map(percent, means)


def sweeps() -> Iterator[tuple[str, ...]]:
    """Yield a row of `SWEEPS_HEAD` for each source with sweeps, and last one of all sweeps."""
    found = result().sweeps
    for name in sorted({s.suite for s in found}):
        yield _ranked(name, [s for s in found if s.suite == name])
    yield _ranked("all sweeps", found)


def _ranked(name: str, found: Sequence[Sweep]) -> tuple[str, ...]:
    regrets = [s.regret for s in found]
    taus = float(np.mean([s.tau for s in found]))
    words = (percent(float(np.mean(regrets))), percent(max(regrets)))
    return name, str(len(found)), str(sum(s.n for s in found)), f"{taus:.2f}", *words


def regret() -> str:
    """Return the mean regret over the sweeps of other sources in words."""
    return percent(result().mean_regret)


def score() -> str:
    """Return the other-source score in words."""
    return percent(result().time.macro_mape)


def memory() -> str:
    """Return what is said of the memory of runs that ran."""
    over = [p for p in result().predictions if not p.estimate.fits]
    open_ = sum(any(a.startswith(("recompute=", "zero=")) for a in p.assumed) for p in over)
    return (
        f"All of them ran. {len(over)} of {len(result().predictions)} are predicted to need more "
        f"memory than there is, {open_} of these where the source does not say what was recomputed "
        f"or sharded. Measured memory ({', '.join(result().memory.suites)}) has a mean error of "
        f"{percent(result().memory.macro_mape)}, bias {percent(result().memory.macro_bias)}."
    )


def recorded() -> dict[str, float]:
    """Return the mean error of each source, in percent: kept, and no change is held to it."""
    return {name: round(100 * s.mape, 2) for name, s in result().time.suites.items()}


def _inside(left_out: Mapping[str, Calibration]) -> dict[str, float]:
    """Return by suite the share of its runs inside the intervals of the others [1]."""
    return {
        name: float(
            inside_time(
                [p for p in result().predictions if p.run.suite == name], left_out[name]
            ).held.mean()
        )
        for name in sorted(result().time.suites)
    }
