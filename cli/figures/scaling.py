"""What more GPUs bring: throughput against the ideal, and MFU."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from plan3d.cli.figures.style import ACCENT, INK, MUTED, PAPER, canvas, styled
from plan3d.cli.words import percent
from plan3d.planner.scaling import ScalePoint

HEIGHT = 4.6


@styled
def draw(points: Sequence[ScalePoint], asked: int) -> Figure:
    """Draw throughput and MFU over the counts that fit; `asked` is the count of the question."""
    figure, (above, below) = canvas(HEIGHT, (1.7, 1))
    there = [point for point in points if point.plan is not None]
    counts = [point.gpus for point in there]
    rates = [point.tokens_per_s or 0.0 for point in there]
    if there:
        ideal = [rates[0] * count / counts[0] for count in counts]
        above.plot(counts, ideal, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="ideal")
        above.plot(counts, rates, "o-", color=ACCENT, markeredgecolor=PAPER, label="best plan")
        below.plot(counts, [100 * (p.mfu or 0.0) for p in there], "o-", color=ACCENT,
                   markeredgecolor=PAPER)  # fmt: skip
    for point in there:
        _name(above, below, point, strong=point.gpus == asked)
    above.set(xscale="log", yscale="log", ylabel="tokens/s")
    above.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    above.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    above.yaxis.set_minor_locator(NullLocator())
    below.set(xscale="log", ylabel="MFU [%]", xlabel="GPUs; each point is the best plan there")
    below.set_ylim(0, 1.35 * max([100 * (p.mfu or 0.0) for p in there], default=100.0))
    for axes in (above, below):
        axes.grid(visible=True)
        axes.set_xticks(counts, [f"{count:,}" for count in counts] if axes is below else [])
        axes.set_xticks([], minor=True)
        axes.margins(x=0.1)
    if there:
        above.legend(loc="upper left")
    return figure


def _name(above: Axes, below: Axes, point: ScalePoint, *, strong: bool) -> None:
    """Write the figures beside a point, and ring the one that was asked for."""
    if strong and point.tokens_per_s is not None:
        above.plot(point.gpus, point.tokens_per_s, "o", markersize=12, markerfacecolor="none",
                   markeredgecolor=INK)  # fmt: skip
    below.annotate(
        percent(point.mfu or 0.0), (point.gpus, 100 * (point.mfu or 0.0)), xytext=(0, 6),
        textcoords="offset points", ha="center", fontsize=8, color=INK if strong else MUTED,
    )  # fmt: skip
