"""The figure of docs/searchers.md: regret against trials."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

STYLES = {
    "random": ("0.65", "-"),
    "annealing": ("0.65", "--"),
    "evolution": ("0.65", ":"),
    "cmaes": ("0.65", (0, (6, 2, 1, 2, 1, 2))),
    "policy": ("0.65", "-."),
    "tpe": ("0.35", ":"),
    "bayesian": ("0.35", "-"),
    "gp": ("0.35", "--"),
    "warm": ("black", ":"),
    "residual": ("black", "-"),
}


def figure(found: Sequence[Mapping[str, list[list[float]]]], trials: int) -> Figure:
    """Draw the median over sweeps and seeds, and the share within 2 %. No colour is needed."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        canvas = Figure(figsize=(9, 3.6), layout="constrained", dpi=120)
        left, right = canvas.subplots(1, 2)
        x = np.arange(1, trials + 1)
        for name, (color, line) in STYLES.items():
            regrets = np.array([curve for sweep in found for curve in sweep[name]])
            middle = np.minimum(np.median(regrets, axis=0), 10.0)
            left.plot(x, 100 * middle, linestyle=line, color=color, label=name)
            near = 100 * np.mean(regrets <= 0.02, axis=0)
            right.plot(x, near, linestyle=line, color=color, label=name)
        left.set(xlabel="trials", ylabel="median regret [%]", ylim=(0, 50))
        right.set(xlabel="trials", ylabel="within 2 % of the best [% of searches]", ylim=(0, 100))
        right.legend(frameon=False, loc="lower right", fontsize=8)
    return canvas
