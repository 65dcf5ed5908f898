"""Figures in a page: named, safe, in its colours."""

import re
import xml.etree.ElementTree as ET

from matplotlib.figure import Figure

from plan3d.cli.figures.style import ACCENT, styled
from plan3d.cli.html.svg import inline


@styled
def drawn() -> Figure:
    figure = Figure((2, 1))
    axes = figure.subplots()
    (bar,) = axes.barh(0, 1, color=ACCENT)
    bar.set_gid("bar")
    axes.plot([0, 1], [0, 1], "o")
    axes.set_title('<b>"&')
    return figure


def test_it_is_xml_whose_names_begin_with_its_own() -> None:
    text = inline(drawn(), "one", "a label")
    text = text.replace("<svg ", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', 1)
    ids = [element.get("id") for element in ET.fromstring(text).iter() if element.get("id")]
    assert ids
    assert all(str(name).startswith("one-") for name in ids)
    assert not re.search(r'(href="#|url\(#)(?!one-)', text)


def test_it_has_no_styles_and_the_colours_of_the_page() -> None:
    text = inline(drawn(), "one", "a label")
    assert "style" not in text
    assert ACCENT not in text
    assert 'fill="var(--accent)"' in text


def test_tips_and_labels_are_escaped() -> None:
    text = inline(drawn(), "one", 'a "label" <x>', {"bar": 'say "<script>"\x00'})
    assert 'aria-label="a &quot;label&quot; &lt;x&gt;"' in text
    tip = "say &quot;&lt;script&gt;&quot;"
    assert f'<g id="one-bar" class="tip" data-tip="{tip}"><title>{tip}</title>' in text
    assert "\x00" not in text


def test_the_same_figure_is_the_same_text() -> None:
    assert inline(drawn(), "one", "x") == inline(drawn(), "one", "x")
