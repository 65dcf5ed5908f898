"""The picture of `plan3d check`: predicted against measured, a point per configuration."""

from collections.abc import Callable
from typing import Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plan3d.cli.figures.style import entitle, styled
from plan3d.cli.figures.style import image as as_bytes
from plan3d.cli.words import GIB
from plan3d.hardware_profiles.whole_step.compare import Comparison, Pair
from plan3d.hardware_profiles.whole_step.grid import STYLES
from plan3d.simulator.layout import Recompute

COLOURS: Final = {"gpt": "#0072b2", "llama": "#d55e00"}
MARKS: Final = {Recompute.NONE: "o", Recompute.SELECTIVE: "^", Recompute.FULL: "s"}
WIDTH, HEIGHT = 4.2, 4.4
"""Of one panel. [inches]"""
EDGE: Final = 1.3
"""Room beside the outermost points, as a factor on the logarithmic axes. [1]"""


class Panel(NamedTuple):
    """A quantity and its unit."""

    quantity: str
    name: str
    unit: str
    size: float


PANELS: Final = (
    Panel("step_s", "step time", "ms", 1e-3),
    Panel("peak_bytes", "peak memory", "GiB", GIB),
)
SMALL: Final = Panel("peak_bytes", "peak memory", "MiB", 2.0**20)


def image(result: Comparison, kind: str) -> bytes:
    """Return the picture as the bytes of a ``png``, ``svg`` or ``pdf`` file."""
    return as_bytes(draw(result), kind)


@styled
def draw(result: Comparison) -> Figure:
    """Draw time and memory, or memory alone where no time was measured."""
    timed = "step_s" in result.errors
    panels = PANELS if timed else (SMALL,)
    figure = Figure((WIDTH * len(panels), HEIGHT), layout="constrained", dpi=150)
    each = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(each, panels, strict=True):
        _points(axes, panel, result)
    entitle(figure, f"{result.device}, predicted with {result.cluster}")
    return figure


def _points(axes: Axes, panel: Panel, result: Comparison) -> None:
    """Draw one panel: points, the diagonal, and the tolerance around it."""

    def values(side: Callable[[Pair], object], pairs: list[Pair]) -> list[float]:
        return [getattr(side(pair), panel.quantity) / panel.size for pair in pairs]

    there = [pair for pair in result.pairs if pair.error(panel.quantity) is not None]
    for style in STYLES:
        for recompute, mark in MARKS.items():
            some = [p for p in there if (p.case.style, p.case.recompute) == (style, recompute)]
            if some:
                axes.scatter(
                    values(lambda pair: pair.measured, some),
                    values(lambda pair: pair.predicted, some),
                    s=22, marker=mark, color=COLOURS[style], alpha=0.75, linewidths=0,
                    label=f"{style}, recompute {recompute.name.lower()}",
                )  # fmt: skip
    both = values(lambda p: p.measured, there) + values(lambda p: p.predicted, there)
    ends = (min(both, default=1.0) / EDGE, max(both, default=1.0) * EDGE)
    low, high = ([end * (1 + by) for end in ends] for by in (-result.tolerance, result.tolerance))
    axes.fill_between(ends, low, high, color="0.9", zorder=0, label=f"± {result.tolerance:.0%}")
    axes.plot(ends, ends, color="0.4", linewidth=0.8, zorder=1)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set_xlabel(f"measured {panel.name} [{panel.unit}]")
    axes.set_ylabel(f"predicted {panel.name} [{panel.unit}]")
    axes.legend(fontsize=7, frameon=False, loc="upper left")
