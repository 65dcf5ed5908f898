"""Step time against memory: what no other layout beats in both, and the best plans."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from plan3d.cli.figures.style import ACCENT, FOURTH, INK, PAPER, canvas, styled
from plan3d.cli.words import GIB, brief, unit_of_s
from plan3d.planner.result import Plan

HEIGHT = 3.6


@styled
def draw(front: Sequence[Plan], best: Sequence[Plan]) -> Figure:
    """Draw a front as a line with a point per plan, the best plans as a cloud around the first."""
    figure, (axes,) = canvas(HEIGHT)
    plans = [*front, *best]
    unit, size = unit_of_s(max(plan.estimate.step_time_s for plan in plans))

    def at(plan: Plan) -> tuple[float, float]:
        return plan.estimate.step_time_s / size, plan.estimate.memory_bytes / GIB

    if best:
        axes.plot(
            *zip(*map(at, best), strict=True), "o", markersize=3.4, color=FOURTH,
            markeredgewidth=0, label="near-best plans",
        )  # fmt: skip
    if front:
        x, y = zip(*map(at, front), strict=True)
        axes.step(x, y, where="post", color=ACCENT, linewidth=1.0)
        axes.plot([], [], "o-", color=ACCENT, markersize=5, linewidth=1, label="Pareto front")
    for i, plan in enumerate(front):
        (point,) = axes.plot(*at(plan), "o", color=ACCENT, markersize=6, markeredgecolor=PAPER)
        point.set_gid(f"front-{i}")
    if best:
        axes.plot(*at(best[0]), "o", markersize=11, markerfacecolor="none", markeredgecolor=INK,
                  label=brief(best[0].layout), linestyle="none")  # fmt: skip
    capacity = plans[0].estimate.capacity_bytes / GIB
    axes.axhline(capacity, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.annotate(
        f"capacity, {capacity:.1f} GiB", (1, capacity), xycoords=("axes fraction", "data"),
        xytext=(0, 3), textcoords="offset points", ha="right", fontsize=8,
    )  # fmt: skip
    axes.grid(visible=True)
    axes.set(ylim=(0, 1.12 * capacity), xlabel=f"step time [{unit}]",
             ylabel="memory of the fullest GPU [GiB]")  # fmt: skip
    figure.legend(loc="outside lower left", ncols=2)
    return figure
