"""Measured against predicted step times, and errors by suite. No colour is needed."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plan3d.cli.figures.style import INK, LINE, MUTED, styled
from plan3d.planner.validation import Prediction, Validation


@styled
def draw(result: Validation) -> Figure:
    """Draw measured against predicted times, and the errors by suite."""
    timed = [p for p in result.predictions if p.measured_s is not None]
    canvas = Figure(figsize=(9, 4.4), layout="constrained", dpi=120)
    axes = canvas.subplots(1, 2, width_ratios=(1, 1.15))
    _times(axes[0], timed)
    _errors(axes[1], timed)
    return canvas


def _times(axes: Axes, timed: Sequence[Prediction]) -> None:
    """Draw one point for each run."""
    measured = np.array([p.measured_s for p in timed], dtype=np.float64)
    predicted = np.array([p.predicted_s for p in timed])
    both = np.concatenate([measured, predicted])
    ends = np.array([both.min() / 1.3, both.max() * 1.3])
    axes.fill_between(ends, ends / 1.2, ends * 1.2, color=LINE, lw=0, label="within 20 %")
    axes.plot(ends, ends, color=MUTED, lw=0.8, label="exact")
    axes.plot(measured, predicted, "o", mfc="none", mec=INK, ms=2.5, mew=0.4, label="a run")
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set(xlabel="measured step time [s]", ylabel="predicted step time [s]")
    axes.legend(loc="upper left")


def _errors(axes: Axes, timed: Sequence[Prediction]) -> None:
    """Draw the errors of each suite on a line of its own, its mean as a bar."""
    suites = sorted({p.run.suite for p in timed}, reverse=True)
    axes.axvspan(-20, 20, color=LINE, lw=0)
    axes.axvline(0, color=MUTED, lw=0.8)
    for y, suite in enumerate(suites):
        errors = [100 * (p.predicted_s / p.measured_s - 1) for p in timed
                  if p.run.suite == suite and p.measured_s]  # fmt: skip
        spread = y + np.linspace(-0.28, 0.28, len(errors)) if len(errors) > 1 else [y]
        axes.plot(errors, spread, "o", mfc="none", mec=INK, ms=2.5, mew=0.4)
        axes.plot([np.mean(errors)] * 2, [y - 0.4, y + 0.4], color=INK, lw=2)
    axes.set_yticks(range(len(suites)), suites)
    axes.set(xlabel="error of the predicted step time [%] (bar: mean)", xlim=(-100, 100))
