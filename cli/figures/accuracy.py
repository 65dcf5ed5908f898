"""Measured against predicted step times, and errors by suite. No colour is needed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plan3d.cli.figures.style import INK, LINE, MUTED, styled
from plan3d.planner.validation import Prediction, Validation
from plan3d.simulator.numeric import Bools

MARKS: Final[tuple[tuple[bool, Mapping[str, Any]], ...]] = (
    (False, {"marker": "o", "mec": INK, "ms": 2.5, "label": "a run"}),
    (True, {"marker": "x", "mec": MUTED, "ms": 2.0, "label": "a job that recorded trouble"}),
)
"""How runs are drawn, by whether their job is known to have been in trouble."""


@styled
def draw(result: Validation, in_trouble: Collection[str]) -> Figure:
    """Draw measured against predicted times, and the errors by suite.

    Parameters
    ----------
    result
        What is drawn.
    in_trouble
        The ids of runs whose job recorded a state that their prediction is not for.
    """
    timed = [p for p in result.predictions if p.measured_s is not None]
    marked = np.array([p.run.id in in_trouble for p in timed], dtype=bool)
    canvas = Figure(figsize=(9, 4.4), layout="constrained", dpi=120)
    axes = canvas.subplots(1, 2, width_ratios=(1, 1.15))
    _times(axes[0], timed, marked)
    _errors(axes[1], timed, marked)
    return canvas


def _times(axes: Axes, timed: Sequence[Prediction], marked: Bools) -> None:
    """Draw one point for each run."""
    measured = np.array([p.measured_s for p in timed], dtype=np.float64)
    predicted = np.array([p.predicted_s for p in timed])
    both = np.concatenate([measured, predicted])
    ends = np.array([both.min() / 1.3, both.max() * 1.3])
    axes.fill_between(ends, ends / 1.2, ends * 1.2, color=LINE, lw=0, label="within 20 %")
    axes.plot(ends, ends, color=MUTED, lw=0.8, label="exact")
    for which, style in MARKS:
        rows = marked == which
        axes.plot(measured[rows], predicted[rows], ls="", mfc="none", mew=0.4, **style)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set(xlabel="measured step time [s]", ylabel="predicted step time [s]")
    axes.legend(loc="upper left")


def _errors(axes: Axes, timed: Sequence[Prediction], marked: Bools) -> None:
    """Draw the errors of each suite on a line of its own, its mean as a bar."""
    suites = sorted({p.run.suite for p in timed}, reverse=True)
    axes.axvspan(-20, 20, color=LINE, lw=0)
    axes.axvline(0, color=MUTED, lw=0.8)
    error = np.array([100 * (p.predicted_s / (p.measured_s or 1.0) - 1) for p in timed])
    owner = np.array([p.run.suite for p in timed])
    for y, suite in enumerate(suites):
        own = np.flatnonzero(owner == suite)
        spread = y + np.linspace(-0.28, 0.28, len(own)) if len(own) > 1 else np.array([float(y)])
        for which, style in MARKS:
            rows = marked[own] == which
            axes.plot(error[own][rows], spread[rows], ls="", mfc="none", mew=0.4, **style)
        axes.plot([np.mean(error[own])] * 2, [y - 0.4, y + 0.4], color=INK, lw=2)
    axes.set_yticks(range(len(suites)), suites)
    axes.set(xlabel="error of the predicted step time [%] (bar: mean)", xlim=(-100, 100))
