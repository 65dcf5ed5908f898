"""A picture of one law: measured against predicted time, and the error by time."""

import io

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plan3d.cli.words import percent
from plan3d.hardware_profiles.fit import LawFit


def image(fit: LawFit, gpu: str) -> bytes:
    """Return the picture as PNG. Shapes tell the two halves apart; no colour is needed."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(9, 4), layout="constrained", dpi=120)
        times, errors = figure.subplots(1, 2)
        _times(times, fit)
        _errors(errors, fit)
        figure.suptitle(
            f"{fit.law}, {gpu}: held-out error {percent(fit.held_out.median)} median, "
            f"{percent(fit.held_out.p90)} in 90 % (one constant rate: "
            f"{percent(fit.one_rate.median)}, {percent(fit.one_rate.p90)})",
            fontsize=9,
        )
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _times(axes: Axes, fit: LawFit) -> None:
    """Draw measured against predicted times of both halves."""
    both = np.concatenate([fit.measured_s, fit.predicted_s]) * 1e6
    ends = np.array([both.min() / 1.3, both.max() * 1.3])
    axes.fill_between(ends, ends / 1.2, ends * 1.2, color="0.88", lw=0, label="within 20 %")
    axes.plot(ends, ends, color="0.4", lw=0.8)
    for rows, marker, label in ((fit.fitted, "+", "fitted to"), (~fit.fitted, "o", "held out")):
        axes.plot(
            fit.measured_s[rows] * 1e6, fit.predicted_s[rows] * 1e6, marker, mfc="none",
            mec="black", ms=4, mew=0.7, label=label,
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set(xlabel="measured time [us]", ylabel="time by the law [us]")
    axes.legend(frameon=False, loc="upper left")


def _errors(axes: Axes, fit: LawFit) -> None:
    """Draw the error of the held-out half by measured time."""
    rows = ~fit.fitted
    off = 100 * (fit.predicted_s[rows] / fit.measured_s[rows] - 1)
    axes.axhspan(-20, 20, color="0.88", lw=0)
    axes.axhline(0, color="0.4", lw=0.8)
    axes.plot(fit.measured_s[rows] * 1e6, off, "o", mfc="none", mec="black", ms=4, mew=0.7)
    widest = min(max(1.1 * float(np.abs(off).max()), 30.0), 100.0)
    axes.set(xscale="log", ylim=(-widest, widest))
    axes.set(xlabel="measured time [us]", ylabel="error of the held-out half [%]")
