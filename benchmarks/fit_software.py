"""Fit the constants of software generations to published runs, and score runs that no fit saw.

    python benchmarks/fit_software.py RUNS.csv                    # values, errors, before and after
    python benchmarks/fit_software.py RUNS.csv --only nemo-2024 [--write]
    python benchmarks/fit_software.py RUNS.csv --unseen           # leave one suite out

Maximum a posteriori: soft-l1 loss on log(predicted / measured) with a scale of 10 %, a suite
counting as ten runs at most (its errors are its cluster's, not independent), and every constant
held towards what was thought of it before any measurement (benchmarks/software_fits.toml).
Standard errors come from the curvature. With --unseen each suite is predicted with constants
fitted to the other suites alone; where these have no run of a generation, with what was thought
before. With --write the fitted values replace those of the profiles, each with its source.
"""

import argparse
import csv
import dataclasses
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.optimize import least_squares

from plan3d.cli.commands.validate_command import Shipped
from plan3d.hardware_profiles.build import key_of
from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.prediction import Prediction, predict
from plan3d.planner.validation.rows import Case, case_of
from plan3d.planner.validation.runs import read_runs
from plan3d.planner.validation.unseen import UNSEEN
from plan3d.simulator.estimate import estimate_table
from plan3d.simulator.numeric import Floats

THOUGHT: Final = tomllib.loads(Path(__file__).with_name("software_fits.toml").read_text())
SCALE: Final = 0.1
"""Log error that counts as one standard deviation of a run. [1]"""
COUNTS: Final = 10
"""Runs that a suite counts as at most. [1]"""
NETWORK: Final = "network."
PROFILES: Final = Path(__file__).parents[1] / "hardware_profiles"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One constant that is fitted."""

    owner: str
    """A generation, or ``network.`` and the name of a network."""
    field: str
    thought: float
    """Before any measurement, in SI."""
    width: float
    """One standard deviation of that; of the logarithm where `ratio`."""
    ratio: bool

    def value(self, x: float) -> float:
        """Return the value that stands `x` standard deviations from what was thought."""
        if self.ratio:
            return self.thought * float(np.exp(self.width * x))
        return max(self.thought + self.width * x, 0.0)

    def limits(self) -> tuple[float, float]:
        """Return how many standard deviations are allowed below and above."""
        if self.ratio:
            top = 1.0 if self.field.endswith("efficiency") else np.inf
            bottom = 1.0 if self.field in ("elementwise_traffic", "expert_padding") else 0.0
            low = np.log(bottom / self.thought) / self.width if bottom else -6.0
            return float(low), min(6.0, float(np.log(top / self.thought)) / self.width + 1e-6)
        top = 1.0 if self.field.endswith("overlap") else np.inf
        return -self.thought / self.width - 1e-6, min(8.0, (top - self.thought) / self.width + 1e-6)


def constants(owner: str) -> list[Constant]:
    """Return what is fitted of a generation, or of a network."""
    table: Mapping[str, Any] = THOUGHT
    for part in owner.split(".", 1):
        table = table.get(part, {})
    found = []
    for field, thought in table.items():
        width = THOUGHT["widths"][field]
        ratio = isinstance(width, str)
        size = float(np.log(float(width.removeprefix("x ")))) if ratio else float(width)
        found.append(
            Constant(owner=owner, field=field, thought=float(thought), width=size, ratio=ratio)
        )
    return found


def owners() -> list[str]:
    """Return the generations and networks that have fitted constants."""
    networks = [NETWORK + name for name in THOUGHT["network"]]
    tables = ("widths", "network", "together", "built_on")
    return [name for name in THOUGHT if name not in tables] + networks


def owned(owner: str, case: Case) -> bool:
    """Whether a case says something about a generation or network."""
    if owner.startswith(NETWORK):
        return case.cluster.network.name == owner.removeprefix(NETWORK)
    name = case.software.name
    return THOUGHT["together"].get(name, name) == owner


def inherited(owner: str, case: Case) -> bool:
    """Whether a case has the constants of a generation or network: its own, or built upon."""
    name = case.software.name
    while name in THOUGHT["built_on"]:
        name = THOUGHT["built_on"][name]
        if name == owner:
            return True
    return owned(owner, case)


def with_values(case: Case, owner: str, values: Mapping[str, float]) -> Case:
    """Return the case with other constants of its generation or network."""
    if not inherited(owner, case):
        return case
    if owner.startswith(NETWORK):
        network = dataclasses.replace(case.cluster.network, **values)
        return dataclasses.replace(case, cluster=dataclasses.replace(case.cluster, network=network))
    return dataclasses.replace(case, software=dataclasses.replace(case.software, **values))


def predicted(cases: Sequence[Case]) -> list[Prediction]:
    """Return the predictions, in the order of the cases."""
    by_id = {p.run.id: p for p in predict(cases, estimate_table)}
    return [by_id[case.run.id] for case in cases]


def log_errors(cases: Sequence[Case]) -> Floats:
    """Return log(predicted / measured) of timed cases, shape (cases,)."""
    return np.array([np.log(p.predicted_s / (p.measured_s or 1.0)) for p in predicted(cases)])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Constants of one generation or network, as fitted."""

    owner: str
    values: Mapping[str, float]
    errors: Mapping[str, float]
    """Standard errors."""
    cases: tuple[Case, ...]

    @classmethod
    def of(cls, owner: str, cases: Sequence[Case]) -> "Fit":
        """Fit to the timed cases of the owner; without any, what was thought before."""
        free = constants(owner)
        own = tuple(c for c in cases if owned(owner, c) and c.measured_s)
        if not own:
            return cls(owner=owner, values={c.field: c.thought for c in free}, errors={}, cases=())
        size = Counter(case.run.suite for case in own)
        weight = np.array([np.sqrt(min(1.0, COUNTS / size[c.run.suite])) for c in own])

        def values(x: Floats) -> dict[str, float]:
            return {c.field: c.value(float(v)) for c, v in zip(free, x, strict=True)}

        def residuals(x: Floats) -> Floats:
            off = log_errors([with_values(case, owner, values(x)) for case in own]) / SCALE
            robust = np.sign(off) * np.sqrt(2 * (np.sqrt(1 + off**2) - 1))  # soft l1, as squares
            return np.concatenate([weight * robust, x])

        low, high = map(np.array, zip(*(c.limits() for c in free), strict=True))
        start = np.clip(np.zeros(len(free)), low + 1e-3, high - 1e-3)
        found = least_squares(
            residuals, start, bounds=(low, high), diff_step=np.full(len(free), 0.05), max_nfev=15
        )
        spread = np.sqrt(np.diag(np.linalg.pinv(found.jac.T @ found.jac)))
        best = values(found.x)
        error = {
            c.field: float(s * c.width * (best[c.field] if c.ratio else 1.0))
            for c, s in zip(free, spread, strict=True)
        }
        return cls(owner=owner, values=best, errors=error, cases=own)


def cases_of(path: str) -> list[Case]:
    """Return the cases of a runs file."""
    found = []
    for run in read_runs(path).rows:
        try:
            found.append(case_of(run, Shipped()))
        except SkipError:
            continue
    return found


def unseen(cases: Sequence[Case], only: Collection[str] = ()) -> list[tuple[Case, Prediction, str]]:
    """Predict every suite, or some, with constants that were fitted to the others alone."""
    suites: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if not only or case.run.suite in only:
            suites[case.run.suite].append(case)
    rows = []
    for suite, own in suites.items():
        others = [case for case in cases if case.run.suite != suite]
        moved, known = own, []
        for owner in owners():
            if any(inherited(owner, case) for case in own):
                fit = Fit.of(owner, others)
                moved = [with_values(case, owner, fit.values) for case in moved]
                known.append(f"{owner}: {len(fit.cases)} runs" if fit.cases else f"{owner}: none")
        rows += [(c, p, "; ".join(known)) for c, p in zip(own, predicted(moved), strict=True)]
        timed = [abs(p.predicted_s / p.measured_s - 1) for _, p, _ in rows[-len(own):]
                 if p.measured_s]  # fmt: skip
        if timed:
            print(
                f"{suite:15s} {len(timed):5d} runs {100 * np.mean(timed):6.1f} %   {known}",
                flush=True,
            )
    return rows


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


def write(fit: Fit) -> None:
    """Put the fitted values in the profile of the generation or network, with their source."""
    folder = "networks" if fit.owner.startswith(NETWORK) else "software"
    path = PROFILES / folder / f"{fit.owner.removeprefix(NETWORK)}.toml"
    text = path.read_text(encoding="utf-8")
    suites = ", ".join(sorted({case.run.suite for case in fit.cases}))
    for constant in constants(fit.owner):
        name = constant.field
        unit, scale = (" ms", 1e3) if name.endswith("_s") else ("", 1.0)
        value = f"{fit.values[name] * scale:.3g}{unit}"
        source = (
            f"benchmarks/fit_software.py on {len(fit.cases)} published runs ({suites}): +- "
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
    parser.add_argument(
        "--unseen", metavar="OUT.csv", nargs="?", const=UNSEEN, help="leave one suite out"
    )
    given = parser.parse_args()
    cases = cases_of(given.runs)
    if given.unseen:
        rows = unseen(cases)
        with Path(given.unseen).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "unseen_s", "fitted_to"])
            for case, p, known in rows:
                if p.measured_s:
                    writer.writerow([case.run.id, f"{p.predicted_s:.6g}", known])
        return
    for owner in [given.only] if given.only else owners():
        fit = Fit.of(owner, cases)
        show(fit)
        if given.write:
            write(fit)


if __name__ == "__main__":
    main()
