"""The picture of a pipeline that people draw on whiteboards: a row per rank, a box per operation.

It needs no colour: hatches tell the kinds apart, numbers the micro-batches.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from plan3d.cli.figures.style import entitle, styled
from plan3d.simulator.schedules.program import Kind, Program
from plan3d.simulator.timeline import Timeline

LOOKS: Final = {
    Kind.FORWARD: ("#cfe0f3", "", "forward"),
    Kind.BACKWARD: ("#f8dcc0", "xxxx", "backward"),
    Kind.BACKWARD_INPUT: ("#f8dcc0", "////", "backward, for the input"),
    Kind.BACKWARD_WEIGHT: ("#d3e8c8", "\\\\\\\\", "backward, for the weights"),
}
"""Fill, hatch and name; the hatch of a whole backward pass is those of its halves together."""

IDLE: Final = ("#f7f7f7", "--", "idle")
DARKEST: Final = 0.87
"""Of the fill of a rank's last chunk, where it has several. [1]"""
BOX, LONGEST = 0.115, 120
"""Width of a short box [inches], and how many of them fit side by side: of more, some are cut."""
SHORT = 0.4
"""Which quantile of the boxes is a short one: the least of two kinds, the middle of three. [1]"""
NARROWEST, BESIDE, AROUND = 6.0, 1.0, 1.5
"""Widths and heights of the figure: the least, beside the boxes, and above and below. [inches]"""
ROW = 2.0
"""What an entry of the legend needs in one row with the others. [inches]"""
FONT, SMALLEST = 7.5, 3.5
"""Of the numbers [points]: smaller ones are left out."""
SUBSCRIPTS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


Window = tuple[float, float]
"""From, until. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An operation; two that overlap are one above the other."""

    kind: Kind
    chunk: int
    label: str
    rank: int
    start_s: float
    end_s: float
    low: float = 0.0
    high: float = 1.0
    """Part of the row."""


@styled
def draw(line: Timeline, title: tuple[str, str] | None, longest: float = LONGEST) -> Figure:
    """Draw a pipeline that was played; of a long one, its start and its end.

    Parameters
    ----------
    line
        The pipeline.
    title
        Two lines above it.
    longest
        How many short boxes side by side are drawn: of more, some are cut.
    """
    ranks, boxes = line.program.ranks, [*_boxes(line)]
    unit_s = float(np.quantile([box.end_s - box.start_s for box in boxes], SHORT))
    windows = _windows(float(line.makespan_s), unit_s * longest)
    spans = [until - since for since, until in windows]
    width = max(sum(spans) / unit_s * BOX, NARROWEST)
    row = max(min(0.36, 12 / ranks), 0.12)
    figure = Figure((width + BESIDE, row * ranks + AROUND), layout="constrained", dpi=120)
    each = figure.subplots(1, len(windows), sharey=True, squeeze=False, width_ratios=spans)[0]
    for axes, window in zip(each, windows, strict=True):
        shown = [box for box in boxes if box.start_s < window[1] and box.end_s > window[0]]
        _fill(axes, ranks, shown, window)
        _number(axes, shown, window, width / sum(spans), row)
    _frame(each, ranks, windows)
    _explain(figure, line.program)
    if title is not None:
        entitle(figure, "\n".join(title))
    return figure


def _boxes(line: Timeline) -> Iterator[Box]:
    """Yield the operations that take time."""
    program = line.program
    ranks = np.repeat(np.arange(program.ranks), np.diff(program.first)).tolist()
    chunk_of = _chunks(program)
    for i, (start, end) in enumerate(zip(line.start_s.tolist(), line.end_s.tolist(), strict=True)):
        above = bool(program.overlaps[i])
        below = i > 0 and bool(program.overlaps[i - 1])
        stage = int(program.stage[i])
        many = program.depth > program.ranks
        label = f"{program.micro_batch[i]}" + (
            str(chunk_of[stage] + 1).translate(SUBSCRIPTS) if many else ""
        )
        if end > start:
            yield Box(
                kind=Kind(program.kind[i]), chunk=chunk_of[stage], label=label, rank=ranks[i],
                start_s=start, end_s=end, low=0.5 * below, high=1.0 - 0.5 * above,
            )  # fmt: skip


def _chunks(program: Program) -> list[int]:
    """Return which of its rank's chunks each virtual stage is, in the order data passes them."""
    seen: dict[int, int] = defaultdict(int)
    found = []
    for rank in program.holder.tolist():
        found.append(seen[rank])
        seen[rank] += 1
    return found


def _windows(makespan_s: float, longest_s: float) -> list[Window]:
    """Return what is drawn of the time: all of it, or the start and the end."""
    if makespan_s <= longest_s:
        return [(0.0, makespan_s)]
    return [(0.0, longest_s / 2), (makespan_s - longest_s / 2, makespan_s)]


def _fill(axes: Axes, ranks: int, boxes: list[Box], window: Window) -> None:
    """Draw the boxes of a window, and what is between them."""
    since, until = window
    fill, hatch, _ = IDLE
    rows = [_corners(since, until, rank, rank + 1) for rank in range(ranks)]
    axes.add_collection(PolyCollection(rows, facecolor=fill, edgecolor="0.8", hatch=hatch, lw=0))
    alike = defaultdict(list)
    for box in boxes:
        low, high = box.rank + box.low, box.rank + box.high
        alike[box.kind, box.chunk].append(_corners(box.start_s, box.end_s, low, high))
    most = max(1, *(chunk for _, chunk in alike))
    for (kind, chunk), corners in alike.items():
        fill, hatch, _ = LOOKS[kind]
        shade = 1 - (1 - DARKEST) * chunk / most
        color = [shade * part for part in to_rgb(fill)]
        axes.add_collection(
            PolyCollection(corners, facecolor=color, edgecolor="0.55", hatch=hatch, lw=0)
        )
        axes.add_collection(
            PolyCollection(corners, facecolor="none", edgecolor="0.2", lw=0.6, zorder=4)
        )


def _corners(left: float, right: float, low: float, high: float) -> list[tuple[float, float]]:
    return [(left, low), (right, low), (right, high), (left, high)]


def _number(axes: Axes, boxes: list[Box], window: Window, inches_per_s: float, row: float) -> None:
    """Write the micro-batches into the boxes, where they can be read."""
    ground = {"boxstyle": "square,pad=0.04", "facecolor": "white", "alpha": 0.7, "linewidth": 0}
    for box in boxes:
        middle = (box.start_s + box.end_s) / 2
        wide = 72 * inches_per_s * (box.end_s - box.start_s) / (0.68 * len(box.label))
        size = min(FONT, wide, 72 * row * (box.high - box.low) * 0.8)
        if size >= SMALLEST and window[0] < middle < window[1]:
            axes.text(
                middle, box.rank + (box.low + box.high) / 2, box.label, fontsize=size, ha="center",
                va="center_baseline", bbox=ground, clip_on=True,
            )  # fmt: skip


def _frame(each: Iterable[Axes], ranks: int, windows: list[Window]) -> None:
    """Set the axes: rank 0 on top, time to the right."""
    scale, unit = (1e3, "ms") if windows[-1][1] < 1 else (1.0, "s")
    for axes, window in zip(each, windows, strict=True):
        axes.set(xlim=(window[0], window[1] + 0.001 * windows[0][1]), ylim=(ranks + 0.02, -0.02))
        axes.set_yticks(np.arange(ranks) + 0.5, [f"rank {rank}" for rank in range(ranks)])
        axes.tick_params(left=False, labelsize=8)
        axes.spines[:].set_visible(False)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value * scale:.4g}")
        axes.set_xlabel(f"time [{unit}]", fontsize=8)
    for (_, until), (since, _) in pairwise(windows):
        axes.set_xlabel(
            f"time [{unit}]; {until * scale:.4g} to {since * scale:.4g} not drawn", fontsize=8
        )


def _explain(figure: Figure, program: Program) -> None:
    """Say what is what."""
    kinds = [LOOKS[Kind(kind)] for kind in np.unique(program.kind)]
    handles = [
        Patch(facecolor=fill, edgecolor="0.5", hatch=hatch, label=name)
        for fill, hatch, name in (*kinds, IDLE)
    ]
    words = "number: micro-batch"
    if program.depth > program.ranks:
        words += ", index and shade: chunk of the rank"
    elif len(program.holder) > program.depth:
        words += ", shade: direction"
    handles.append(Patch(facecolor="none", edgecolor="none", label=words))
    columns = len(handles) if figure.get_figwidth() > ROW * len(handles) else 3
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, fontsize=8,
        frameon=False, handlelength=2.4, handleheight=1.1, columnspacing=1.4,
    )  # fmt: skip
