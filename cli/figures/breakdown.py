"""Where a step's time goes: a bar per term, and why every pipeline stage idles."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plan3d.cli.figures.style import (
    ACCENT,
    FOURTH,
    MUTED,
    SECOND,
    THIRD,
    canvas,
    plain_bars,
    styled,
)
from plan3d.cli.words import TIME, percent, seconds, unit_of_s
from plan3d.simulator.result import StepTime
from plan3d.simulator.timeline import Timeline

IDLE = {
    "warm_up_s": (ACCENT, "warm-up"),
    "imbalance_s": (THIRD, "waiting for a stage"),
    "transfer_s": (SECOND, "waiting for a transfer"),
    "cool_down_s": (FOURTH, "cool-down"),
}
"""Why a stage idles: fields of `Timeline`, colour and name, as they follow each other."""
ROW, AROUND = 0.24, 0.75
"""Height of a bar, and of what is around a panel. [inches]"""


@styled
def draw(time: StepTime, line: Timeline | None = None) -> Figure:
    """Draw the terms of a step, which add up to it; of a pipeline that was played, its stages."""
    terms = {name: getattr(time, name) for name in TIME if getattr(time, name) > 0}
    heights = [ROW * len(terms) + AROUND]
    if line is not None and line.program.ranks > 1:
        heights.append(ROW * line.program.ranks + AROUND + 0.5)
    figure, panels = canvas(sum(heights), heights)
    _terms(panels[0], terms, time.total_s)
    if len(panels) > 1 and line is not None:
        _stages(panels[1], line)
        figure.legend(loc="outside lower left", ncols=2)
    return figure


def _terms(axes: Axes, terms: dict[str, float], total_s: float) -> None:
    unit, size = unit_of_s(total_s)
    plain_bars(axes, [TIME[name] for name in terms])
    for row, (name, value_s) in enumerate(terms.items()):
        (bar,) = axes.barh(row, value_s / size, height=0.62, color=ACCENT)
        bar.set_gid(f"term-{name}")
        axes.annotate(
            f"{seconds(value_s)}, {percent(value_s / total_s)}", (value_s / size, row),
            xytext=(4, 0), textcoords="offset points", va="center", fontsize=8, color=MUTED,
        )  # fmt: skip
    axes.set_xlim(0, 1.6 * max(terms.values()) / size)
    axes.set_xlabel(f"time of the step [{unit}]")


def _stages(axes: Axes, line: Timeline) -> None:
    unit, size = unit_of_s(float(line.idle_s.max()) or 1.0)
    ranks = range(line.program.ranks)
    plain_bars(axes, [f"stage {rank + 1}" for rank in ranks])
    left = np.zeros(len(ranks))
    for name, (colour, word) in IDLE.items():
        part = getattr(line, name) / size
        if part.max() > 0:
            axes.barh(ranks, part, left=left, height=0.62, color=colour, label=word)
        left = left + part
    axes.set_xlim(0, 1.03 * left.max() or 1.0)
    axes.set_xlabel(f"idle in the pipeline, of {seconds(float(line.makespan_s))} [{unit}]")
