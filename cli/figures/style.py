"""The one style of all figures, and how they become files.

Colours are told apart by people who see red and green alike, and by their lightness: the palette is
after M. Okabe and K. Ito, "Color Universal Design" (2008).
"""

import io
from collections.abc import Sequence
from textwrap import wrap
from typing import Final
from warnings import catch_warnings, filterwarnings

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plan3d.simulator.errors import unknown

INK, MUTED, LINE, PAPER = "#1f2429", "#5b6570", "#dde1e6", "#ffffff"
ACCENT: Final = "#0b62a8"
SECOND, THIRD, FOURTH = "#56b4e9", "#e69f00", "#b3bac2"
"""Beside the accent, where parts must be told apart."""
COLOURS: Final = {
    INK: "ink", MUTED: "muted", LINE: "line", PAPER: "paper", ACCENT: "accent",
    SECOND: "second", THIRD: "third", FOURTH: "fourth",
}  # fmt: skip
"""What a page that has its own shades of them, for the dark, calls them."""

WIDTH: Final = 4.4
"""Of a figure. [inches]"""
TITLE_POINTS, LETTERS = 9.0, 14.0
"""Size of a title, and how many letters of it stand on an inch."""

STYLE: Final = {
    "font.size": 9.0,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.size": 0.0,
    "xtick.minor.size": 0.0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.0,
    "legend.handleheight": 0.9,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "plan3d",
}
styled = mpl.rc_context(STYLE)  # type: ignore[arg-type]
"""Decorates what draws."""

KINDS: Final = {
    "svg": {"Date": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Kinds of files, and what is kept out of them, so that the same figure is the same file."""


def canvas(height: float, ratios: Sequence[float] = (1.0,)) -> tuple[Figure, list[Axes]]:
    """Return a figure of one panel above the other.

    Parameters
    ----------
    height
        Of the figure. [inches]
    ratios
        Heights of the panels over each other. [1]
    """
    figure = Figure((WIDTH, height), layout="constrained", dpi=150)
    each = figure.subplots(len(ratios), 1, squeeze=False, height_ratios=ratios)[:, 0]
    return figure, list(each)


def plain_bars(axes: Axes, names: Sequence[str]) -> None:
    """Set axes with a horizontal bar for each name, the first one on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.spines["left"].set_visible(False)


def kind_of(name: str) -> str:
    """Return the kind of a file by its name.

    Raises
    ------
    InputError
        If it is none that can be drawn.
    """
    kind = name.rpartition(".")[2].lower() if "." in name else ""
    if kind not in KINDS:
        raise unknown("kind of figure", kind or name, KINDS)
    return kind


@styled
def image(figure: Figure, kind: str) -> bytes:
    """Return a figure as the bytes of a file: the same ones every time."""
    out = io.BytesIO()
    with catch_warnings():  # names may have letters that the font has not
        filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(out, format=kind, metadata=KINDS[kind])
    return out.getvalue()


@styled
def entitle(figure: Figure, title: str) -> None:
    """Say above a figure what it shows; control characters of names are left out."""
    clean = "".join(c if c.isprintable() or c == "\n" else "?" for c in title)
    across = int(LETTERS * figure.get_figwidth())
    lines = [part for line in clean.split("\n") for part in wrap(line, across)]
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=TITLE_POINTS,
                    parse_math=False)  # fmt: skip
