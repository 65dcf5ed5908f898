"""Fit the constants of software generations to published runs, and score runs that no fit saw.

    python benchmarks/fit_software.py RUNS.csv                    # values, errors, before and after
    python benchmarks/fit_software.py RUNS.csv --only nemo-2024 [--write]
    python benchmarks/fit_software.py RUNS.csv --unseen           # leave one suite out: unseen.py

Maximum a posteriori: soft-l1 loss on log(predicted / measured) with a scale of 10 %, a suite
counting as ten runs at most (its errors are its cluster's, not independent), and every constant
held towards what was thought of it before any measurement (benchmarks/software_fits.toml). What
generations have in common - seconds per operation, say - is unknown, too, and learnt from all of
them: a generation is held towards what was thought, shifted as the *other* generations' runs say.
Standard errors come from the curvature. With --unseen each suite is predicted with constants
fitted to the other suites alone, its generations' own and the common shifts alike. With --write
the fitted values replace those of the profiles, each with its source.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from fit_constants import NETWORK, constants, inherited, owners, with_values
from fit_pooled import Fit, Fits, cases_of, log_errors
from unseen import UNSEEN_FITS, predict_unseen

from plan3d.hardware_profiles.build import key_of
from plan3d.planner.validation.recorded import with_records
from plan3d.planner.validation.rows import Case
from plan3d.planner.validation.runs import read_runs

PROFILES: Final = Path(__file__).parents[1] / "hardware_profiles"


def unseen(
    cases: Sequence[Case], fits: Fits
) -> Iterator[tuple[str, dict[str, Mapping[str, float]]]]:
    """Yield each suite, and the constants of its owners that were fitted to the others alone."""
    for suite in dict.fromkeys(case.run.suite for case in cases):
        own = [case for case in cases if case.run.suite == suite]
        having = [name for name in owners() if any(inherited(name, case) for case in own)]
        yield suite, {name: fits.of(name, suite).values for name in having}
        print(suite, flush=True)


def show(fit: Fit) -> None:
    """Print a fit: its values, and its errors by suite before and after."""
    print(f"{fit.owner}: {len(fit.cases)} runs", flush=True)
    shipped: Any = None
    if fit.cases:
        case = fit.cases[0]
        shipped = case.cluster.network if fit.owner.startswith(NETWORK) else case.software
    for constant in constants(fit.owner):
        name = constant.field
        print(
            f"  {name:20s} {fit.values[name]:.4g} +- {fit.errors.get(name, 0):.2g}"
            f"   (thought {constant.thought:.4g}, shipped {getattr(shipped, name, 0):.4g})"
        )
    for label, choice in (("shipped", {}), ("fitted", fit.values)):
        off = np.expm1(log_errors([with_values(c, fit.owner, choice) for c in fit.cases]))
        by_suite = {
            suite: float(np.mean(np.abs(off[[c.run.suite == suite for c in fit.cases]])))
            for suite in sorted({c.run.suite for c in fit.cases})
        }
        print(
            f"  {label:8s} " + ", ".join(f"{k} {100 * v:.1f} %" for k, v in by_suite.items()),
            flush=True,
        )


def unit_of(field: str) -> tuple[str, float]:
    """Return the unit that a constant is written in, with a space before it, and how many a SI."""
    units = {"_bytes_per_s": (" GB/s", 1e-9), "_s": (" ms", 1e3)}
    return next((unit for end, unit in units.items() if field.endswith(end)), ("", 1.0))


def write(fit: Fit) -> None:
    """Put the fitted values in the profile of the generation or network, with their source."""
    folder = "networks" if fit.owner.startswith(NETWORK) else "software"
    path = PROFILES / folder / f"{fit.owner.removeprefix(NETWORK)}.toml"
    text = path.read_text(encoding="utf-8")
    suites = ", ".join(sorted({case.run.suite for case in fit.cases}))
    for constant in constants(fit.owner):
        name = constant.field
        unit, scale = unit_of(name)
        clear = fit.values[name] > fit.errors[name] / 100
        value = f"{fit.values[name] * scale * clear:.3g}{unit}"
        others = " and what others of its kind say" if constant.common >= 0 else ""
        source = (
            f"benchmarks/fit_software.py on {len(fit.cases)} published runs ({suites}){others}: +- "
            f"{fit.errors[name] * scale:.2g}{unit}; before any measurement "
            f"{constant.thought * scale:.3g}{unit} was assumed"
        )
        quoted = f'"{value}"' if unit else value
        line = f'{key_of(name)[0]} = {{ value = {quoted}, mark = "measured", source = "{source}" }}'
        old = re.compile(rf"^{key_of(name)[0]} = .*$", re.MULTILINE)
        head, table, rest = text.partition("\n[")
        head = old.sub(lambda _: line, head) if old.search(head) else f"{head.rstrip()}\n{line}\n"  # noqa: B023
        text = head + table + rest
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Fit and print, or predict what no fit saw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("runs")
    parser.add_argument("--only", help="one generation, or network.NAME")
    parser.add_argument("--write", action="store_true", help="into the profiles")
    parser.add_argument("--unseen", action="store_true", help="leave one suite out, and predict it")
    given = parser.parse_args()
    runs = read_runs(given.runs)
    told = cases_of(with_records(runs))
    fits = Fits(told)  # a state's constants are fitted to jobs in it
    if given.unseen:
        values = dict(unseen([*cases_of(runs), *told], fits))
        UNSEEN_FITS.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        predict_unseen()
        return
    for owner in [given.only] if given.only else owners():
        fit = fits.of(owner)
        show(fit)
        if given.write:
            write(fit)


if __name__ == "__main__":
    main()
