"""The picture of a pipeline that people draw on whiteboards: a row per rank, a box per operation.

It needs no colour: hatches tell the kinds apart, numbers the micro-batches.
"""

import io
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from plan3d.simulator.schedules.program import Kind, Program
from plan3d.simulator.timeline import Timeline

STYLE: Final[Mapping[str, Any]] = {
    "font.size": 9,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "plan3d",
}
LOOKS: Final = {
    Kind.FORWARD: ("#cfe0f3", "", "forward"),
    Kind.BACKWARD: ("#f8dcc0", "xxxx", "backward"),
    Kind.BACKWARD_INPUT: ("#f8dcc0", "////", "backward, for the input"),
    Kind.BACKWARD_WEIGHT: ("#d3e8c8", "\\\\\\\\", "backward, for the weights"),
}
"""Fill, hatch and name; the hatch of a whole backward pass is those of its halves together."""

IDLE: Final = ("#f2f2f2", "....", "idle")
DARKEST: Final = 0.8
"""Of the fill of a rank's last chunk, where it has several. [1]"""
WIDEST, NARROWEST = 15.0, 7.0
"""Of the figure. [inches]"""
BOX, LONGEST = 0.15, 90
"""Width of the shortest box [inches], and how many of them fit side by side: more is cut."""
FONT, SMALLEST = 7.5, 3.5
"""Of the numbers [points]: smaller ones are left out."""
SUBSCRIPTS = "₁₂₃₄₅₆₇₈₉"


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


def draw(line: Timeline, title: tuple[str, str]) -> Figure:
    """Draw a pipeline that was played; of a long one, its start and its end."""
    ranks, boxes = line.program.ranks, [*_boxes(line)]
    shortest = min(box.end_s - box.start_s for box in boxes)
    windows = _windows(float(line.makespan_s), shortest * LONGEST)
    spans = [until - since for since, until in windows]
    width = min(max(sum(spans) / shortest * BOX + 1.5, NARROWEST), WIDEST)
    row = max(min(0.36, 12 / ranks), 0.12)
    with mpl.rc_context(dict(STYLE)):
        figure = Figure(figsize=(width, row * ranks + 1.6), layout="constrained", dpi=120)
        each = figure.subplots(
            1, len(windows), sharey=True, squeeze=False, width_ratios=spans
        )[0]
        scale = (width - 1.5) / sum(spans)
        for axes, window in zip(each, windows, strict=True):
            _draw_window(axes, line, [box for box in boxes if _within(box, window)], window)
            _number(axes, boxes, window, scale, row)
        _frame(figure, list(each), ranks, windows)
        _legend(figure, line.program)
        clean = ("".join(c if c.isprintable() else "?" for c in text) for text in title)
        figure.suptitle("\n".join(clean), fontsize=10, parse_math=False)
    return figure


def image(figure: Figure, kind: str) -> bytes:
    """Return a figure as the bytes of an ``svg`` or ``png`` file: the same ones every time."""
    out = io.BytesIO()
    with mpl.rc_context(dict(STYLE)):
        metadata = {"svg": {"Date": None}, "png": {"Software": None}}[kind]
        figure.savefig(out, format=kind, metadata=metadata)
    return out.getvalue()


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
        label = f"{program.micro_batch[i]}" + (SUBSCRIPTS[chunk_of[stage]] if many else "")
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
