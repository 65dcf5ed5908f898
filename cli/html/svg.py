"""A figure as part of a page: an SVG element that has a name, scales, and follows its colours."""

import re
from collections.abc import Mapping
from html import escape
from typing import Final

from matplotlib.figure import Figure

from plan3d.cli.figures.style import COLOURS, image

FONT: Final = re.compile(r"font: (?:\w+ )*?([\d.]+px) [^;]+")
UNPRINTED: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def inline(
    figure: Figure, name: str, label: str, tips: Mapping[str, str] | None = None
) -> str:  # fmt: skip
    """Return a figure as an `svg` element.

    Parameters
    ----------
    figure
        What is drawn.
    name
        Unique in the page: the ids of the element begin with it.
    label
        What it shows, for those who cannot see it.
    tips
        What to say about a part of it, by the `gid` of its artist.
    """
    text = UNPRINTED.sub("", image(figure, "svg").decode())
    text = text[text.index("<svg") :]
    head, body = text[: text.index(">") + 1], text[text.index("<defs>") :]
    box = re.search(r'viewBox="([^"]+)"', head)
    width = re.search(r'width="([\d.]+)pt"', head)
    shape = f'viewBox="{box[1]}" width="{float(width[1]) * 4 / 3:.0f}"' if box and width else ""
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'style="([^"]*)"', lambda match: _attributes(match[1]), body)
    for colour, word in COLOURS.items():
        body = body.replace(colour, f"var(--{word})")
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\1{name}-", body)
    for part, tip in (tips or {}).items():
        said = escape(UNPRINTED.sub("", tip))
        body = body.replace(
            f'<g id="{name}-{part}">',
            f'<g id="{name}-{part}" class="tip" data-tip="{said}"><title>{said}</title>',
        )
    said = escape(UNPRINTED.sub("", label))
    return f'<svg class="{name}" {shape} role="img" aria-label="{said}">{body}'


def _attributes(style: str) -> str:
    """Return the attributes that say what a style says: a strict policy allows no styles."""
    style = FONT.sub(r"font-size: \1", style.replace("&quot;", "'"))
    pairs = (part.split(":", 1) for part in style.split(";") if ":" in part)
    return " ".join(f'{name.strip()}="{value.strip()}"' for name, value in pairs)
