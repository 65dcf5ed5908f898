"""What every stage holds, against what a GPU has."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from plan3d.cli.figures.style import (
    ACCENT,
    FOURTH,
    INK,
    SECOND,
    THIRD,
    canvas,
    plain_bars,
    styled,
)
from plan3d.cli.words import GIB
from plan3d.simulator.result import Memory

PARTS: Final = {
    "model states": (
        ACCENT, ("parameters_bytes", "gradients_bytes", "optimizer_bytes")
    ),
    "activations": (SECOND, ("activations_bytes",)),
    "working set, logits": (THIRD, ("transient_bytes", "logits_bytes")),
    "context, buckets, margin": (
        FOURTH, ("context_bytes", "buckets_bytes", "margin_bytes")
    ),
}  # fmt: skip
"""What is drawn as one: colour, and terms of `Memory`."""
ROW, AROUND = 0.26, 1.2
"""Height of a bar, and of what is around the bars. [inches]"""
FEWEST: Final = 3
"""Bars that a figure has room for at least: one alone is lower than its axis and legend. [1]"""


@styled
def draw(stages: Sequence[Memory], capacity_bytes: float) -> Figure:
    """Draw a bar for each stage, and a line where the GPU is full."""
    figure, (axes,) = canvas(ROW * max(len(stages), FEWEST) + AROUND)
    plain_bars(axes, [f"stage {i + 1}" for i in range(len(stages))])
    rows, left = np.arange(len(stages)), np.zeros(len(stages))
    for word, (colour, names) in PARTS.items():
        part = np.array([sum(getattr(one, name) for name in names) for one in stages]) / GIB
        bars = axes.barh(rows, part, left=left, height=0.62, color=colour, label=word)
        for row, bar in enumerate(bars):
            bar.set_gid(f"stage-{row}-{list(PARTS).index(word)}")
        left = left + part
    capacity = capacity_bytes / GIB
    axes.axvline(capacity, color=INK, linewidth=1.2)
    axes.annotate(
        f"{capacity:.1f} GiB", (capacity, -0.6), xytext=(-3, 2), textcoords="offset points",
        ha="right", fontsize=8.5, annotation_clip=False,
    )  # fmt: skip
    axes.set_xlim(0, 1.03 * max(capacity, float(left.max())))
    axes.set_xlabel("memory at the peak [GiB]; line: what a GPU has")
    figure.legend(loc="outside lower left", ncols=2)
    return figure
