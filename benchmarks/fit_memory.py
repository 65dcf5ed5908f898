"""Fit what a generation holds beside what is counted to published memory figures, or to outcomes.

    python benchmarks/fit_memory.py               # values, errors, and with each suite left out
    python benchmarks/fit_memory.py --write       # into the profiles
    python benchmarks/fit_memory.py --unseen      # after that: what no fit saw, with unseen.py

On the runs that ship. Where memory was measured, as benchmarks/fit_software.py fits times: maximum
a posteriori towards what was thought before any measurement (software_fits.toml), with the same
robust loss, each suite counting as ten runs at most, errors from the curvature; one value for all
generations that have the constant. Where only running or not is published, the value is the one
that makes those outcomes the likeliest, and its standard error that of the jackknife over the
sweeps, which err together; how well each is told with the value of the others is printed beside it.
With --unseen each suite is predicted with constants fitted to the other suites, and where no other
suite says anything of one, with what was thought.
"""

import dataclasses
import json
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from fit_constants import THOUGHT, Constant, memory_constants, with_memory
from fit_pooled import cases_of, predicted, weighed
from fit_software import PROFILES
from scipy.optimize import least_squares, minimize_scalar
from unseen import UNSEEN_MEMORY, predict_unseen

from plan3d.hardware_profiles.build import key_of
from plan3d.planner.uncertainty.chances import SMOOTH
from plan3d.planner.uncertainty.fit import demand, ran_out
from plan3d.planner.validation.prediction import Prediction
from plan3d.planner.validation.recorded import recorded_runs
from plan3d.planner.validation.rows import Case
from plan3d.planner.validation.scores import balanced_accuracy
from plan3d.planner.validation.sweeps import both_outcomes
from plan3d.simulator.numeric import Floats


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A constant of memory, as fitted to measured memory."""

    value: float
    error: float
    """Standard error."""
    cases: Sequence[Case]

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.value:.3f} +- {self.error:.3f} ({len(self.cases)} runs)"


def main() -> None:
    """Fit and print, or write into the profiles, or predict what no fit saw."""
    cases = cases_of(recorded_runs())  # a state's constants are fitted to jobs in it
    weighty = [case for case in cases if case.measured_bytes]
    for constant in memory_constants("counted"):
        found = fit(weighty, constant)
        print(f"{constant.field}: counted {constant.thought:g}; runs would say {found}", flush=True)
    left_out: dict[str, dict[str, float]] = defaultdict(dict)
    for constant, said in zip(memory_constants(), THOUGHT["memory"], strict=True):
        field = constant.field
        best = fit(weighty, constant)
        print(f"{field}: {best}", flush=True)
        for suite in sorted({case.run.suite for case in best.cases}):
            others = fit([case for case in weighty if case.run.suite != suite], constant)
            print(f"  without {suite}: {others}", flush=True)
            left_out[suite][field] = others.value
        if "--write" in sys.argv:
            before = f"before any measurement {constant.thought:g} was assumed"
            source = f": +- {best.error:.2f}; {before}"
            for owner in said["of"]:
                write(best.cases, owner, field, f"{best.value:.2f}", source)
    sweeps: list[dict[str, Any]] = []
    for said in THOUGHT["outcome"]:
        field, owner, thought = said["field"], said["of"], said["thought"]
        own = sweeps_of([case for case in cases if case.software.name == owner])
        rows = [case for sweep in own for case in sweep]
        for suite in {case.run.suite for case in rows}:
            left_out[suite][field] = thought
        if "most" not in said:
            continue
        value, error, sweeps = fit_outcomes(own, field, said["most"])
        print(f"{owner}.{field}: {value:.1f} B +- {error:.1f} B ({len(rows)} runs)")
        if "--write" in sys.argv:
            source = f": +- {error:.1f} B; before any measurement {thought:g} B was assumed"
            write(rows, owner, key_of(field)[0], f'"{value:.1f} B"', source)
    if "--unseen" in sys.argv:
        text = json.dumps({"constants": left_out, "sweeps": sweeps}, indent=1)
        UNSEEN_MEMORY.write_text(text + "\n", encoding="utf-8")
        predict_unseen()


def fit(cases: Sequence[Case], constant: Constant) -> Fit:
    """Fit to those cases that say something of the constant; without any, what was thought."""

    def bytes_of(x: float) -> Floats:
        moved = predictions(cases, constant.field, constant.value(x))
        return np.array([p.predicted_bytes for p in moved])

    moves = bytes_of(0.0) != bytes_of(1.0)
    cases = [case for case, moved in zip(cases, moves, strict=True) if moved]
    measured = np.array([case.measured_bytes for case in cases], dtype=np.float64)

    def residuals(x: Floats) -> Floats:
        return np.concatenate([weighed(cases, np.log(bytes_of(float(x[0])) / measured)), x])

    found = least_squares(residuals, [1.0], bounds=constant.limits(), diff_step=0.05, xtol=1e-3)
    error = constant.width / np.sqrt(float((found.jac.T @ found.jac)[0, 0]))
    return Fit(value=constant.value(float(found.x[0])), error=float(error), cases=cases)


def predictions(cases: Sequence[Case], field: str, value: float) -> list[Prediction]:
    """Return the predictions with a value of a software's field."""
    return predicted([with_memory(case, {field: value}) for case in cases])


def sweeps_of(cases: Sequence[Case]) -> list[list[Case]]:
    """Return the cases of sweeps that publish layouts that ran, and that ran out of memory."""
    by_id = {case.run.id: case for case in cases}
    return [[by_id[p.run.id] for p in sweep] for sweep in both_outcomes(predicted(cases))]


def fit_outcomes(
    sweeps: Sequence[Sequence[Case]], field: str, most: float
) -> tuple[float, float, list[dict[str, Any]]]:
    """Return the value, its standard error, and how well left-out sweeps are told."""
    without, told = [], []
    for i, sweep in enumerate(sweeps):
        others = [case for j, other in enumerate(sweeps) if j != i for case in other]
        without.append(likeliest(others, field, most))
        found = predictions(sweep, field, without[-1])
        over = np.array([not p.estimate.fits for p in found], dtype=bool)
        accuracy = balanced_accuracy(over, ran_out(found)) or 0.0
        run = sweep[0].run
        told.append({"suite": run.suite, "gpus": run.gpus, "seq": run.seq, "runs": len(sweep),
                     "value": without[-1], "balanced_accuracy": accuracy})  # fmt: skip
        print(
            f"  {run.gpus:4d} GPUs, seq {run.seq}, {len(sweep):4d} runs: "
            f"balanced accuracy {100 * accuracy:.1f} % with {without[-1]:.1f} B of the others"
        )
    spread = np.sqrt((len(without) - 1) * np.var(without))
    every = [case for sweep in sweeps for case in sweep]
    return likeliest(every, field, most), float(spread), told


def likeliest(cases: Sequence[Case], field: str, most: float) -> float:
    """Return the value, from 0 to `most`, that makes it the likeliest who ran out of memory.

    The odds are those of a logistic error of the peak, of the scale `SMOOTH`.
    """

    def surprise(value: float) -> float:
        found = predictions(cases, field, value)
        needed, capacity = demand(found)
        odds = np.log(needed / capacity) / SMOOTH
        return float(np.logaddexp(0.0, np.where(ran_out(found), -odds, odds)).mean())

    return float(minimize_scalar(surprise, bounds=(0.0, most), method="bounded").x)


def write(cases: Sequence[Case], owner: str, key: str, value: str, source: str) -> None:
    """Put a value in the profile, with its source."""
    path = PROFILES / "software" / f"{owner}.toml"
    suites = ", ".join(sorted({case.run.suite for case in cases}))
    line = (
        f'{key} = {{ value = {value}, mark = "measured", source = "benchmarks/fit_memory.py on '
        f'{len(cases)} published runs ({suites}){source}" }}'
    )
    text = re.sub(rf"^{key} = .*$", lambda _: line, path.read_text(encoding="utf-8"), flags=re.M)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
