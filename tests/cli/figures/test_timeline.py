"""The picture: boxes by hand, files that open, kinds told apart without colour."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from plan3d.cli.figures.style import image
from plan3d.cli.figures.timeline import IDLE, LOOKS, draw
from plan3d.simulator.events import StageCosts, play
from plan3d.simulator.schedules.table import BUILDERS, build
from plan3d.simulator.timeline import Timeline

TITLE = ("$model$ <a> & b", "pipeline 10 s")


def played(name: str, p: int, m: int, v: int = 1) -> Timeline:
    costs = StageCosts(forward_s=1.0, backward_input_s=1.5, backward_weight_s=0.5)
    return play(build(name, p, m, v), costs)


def test_boxes_by_hand() -> None:
    """Two ranks, two micro-batches: F0 F1 . B0 . B1 over .F0 B0 F1 B1 with F = 1, B = 2."""
    axes = draw(played("one_f_one_b", 2, 2), TITLE).axes[0]
    labels = sorted((t.get_position(), t.get_text()) for t in axes.texts)
    assert labels == [
        ((0.5, 0.5), "0"), ((1.5, 0.5), "1"), ((1.5, 1.5), "0"), ((3, 1.5), "0"),
        ((4.5, 1.5), "1"), ((5, 0.5), "0"), ((6, 1.5), "1"), ((8, 0.5), "1"),
    ]  # fmt: skip
    filled = [c for c in axes.collections if isinstance(c, PolyCollection) and c.get_hatch()]
    assert [len(c.get_paths()) for c in filled] == [2, 4]  # idle ground of the ranks, backward
    low, high = axes.get_ylim()
    assert low > high  # rank 0 is on top


def test_two_that_run_as_one_share_the_row() -> None:
    figure = draw(played("dualpipe", 4, 8), TITLE)
    heights = {round(float(t.get_position()[1]) % 1, 2) for t in figure.axes[0].texts}
    assert heights == {0.25, 0.5, 0.75}


def test_chunks_are_numbered() -> None:
    texts = {t.get_text() for t in draw(played("interleaved", 2, 2, 2), TITLE).axes[0].texts}
    assert texts == {"0₁", "1₁", "0₂", "1₂"}


def test_a_long_pipeline_is_cut_to_start_and_end() -> None:
    line = played("one_f_one_b", 4, 100)
    left, right = draw(line, TITLE).axes
    assert {"0", "99"} <= {t.get_text() for axes in (left, right) for t in axes.texts}
    assert "0" not in {t.get_text() for t in right.texts}
    assert left.get_xlim()[0] == 0
    assert right.get_xlim()[1] == pytest.approx(float(line.makespan_s), rel=0.01)
    assert "not drawn" in right.get_xlabel()


def test_kinds_are_told_apart_without_colour() -> None:
    hatches = [hatch for _, hatch, _ in (*LOOKS.values(), IDLE)]
    assert len(set(hatches)) == len(hatches)


def test_numbers_that_cannot_be_read_are_left_out() -> None:
    costs = StageCosts(forward_s=1.0, backward_input_s=1.0, backward_weight_s=0.05)
    axes = draw(play(build("zb_h1", 2, 4), costs), TITLE).axes[0]
    assert len(axes.texts) == 2 * 2 * 4  # W is too narrow


@pytest.mark.parametrize("name", BUILDERS)
def test_every_schedule_makes_files_that_open(name: str) -> None:
    v = 2 if name in ("interleaved", "looped_bfs", "zb_v", "dualpipe_v") else 1
    figure = draw(played(name, 2, 4, v), TITLE)
    assert image(figure, "png").startswith(b"\x89PNG\r\n\x1a\n")
    svg = image(figure, "svg")
    texts = ["".join(e.itertext()) for e in ET.fromstring(svg).iter() if e.tag.endswith("text")]
    assert {*TITLE, "rank 0", "rank 1", "forward", "idle"} <= set(texts)


def test_the_same_pipeline_is_the_same_file() -> None:
    first, second = (draw(played("zb_h1", 2, 3), TITLE) for _ in range(2))
    assert image(first, "svg") == image(second, "svg")
    assert image(first, "png") == image(second, "png")


def test_one_rank_and_one_micro_batch() -> None:
    figure = draw(played("one_f_one_b", 1, 1), ("a\nb\x07", ""))
    assert [t.get_text() for t in figure.axes[0].texts] == ["0", "0"]
    assert np.isfinite(figure.axes[0].get_xlim()).all()
