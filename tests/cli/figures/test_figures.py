"""Figures: what is drawn is what was given, with units, in a palette for all eyes."""

import re
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from plan3d.cli.figures import breakdown, memory, pareto, roofline, scaling, style
from plan3d.planner.result import Plan
from plan3d.planner.scaling import ScalePoint
from plan3d.simulator.errors import InputError
from plan3d.simulator.events import StageCosts, play
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.result import EstimateTable
from plan3d.simulator.roofline import Kernel
from plan3d.simulator.schedules.table import build

GIB = 2.0**30


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]


def labels(figure: Figure) -> list[str]:
    return [name for axes in figure.axes for name in (axes.get_xlabel(), axes.get_ylabel()) if name]


def test_breakdown_has_a_bar_per_term(plan: Plan) -> None:
    figure = breakdown.draw(plan.estimate.time)
    (axes,) = figure.axes
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([1.0, 0.25, 0.25, 0.4, 0.1])
    assert sum(widths) == pytest.approx(plan.estimate.step_time_s)
    assert "1 s, 50.0 %" in texts(figure)
    assert labels(figure) == ["time of the step [s]"]


def test_breakdown_has_why_stages_idle(plan: Plan) -> None:
    costs = StageCosts(forward_s=1.0, backward_input_s=1.5, backward_weight_s=0.5)
    line = play(build("one_f_one_b", 4, 8), costs)
    below = breakdown.draw(plan.estimate.time, line).axes[1]
    widths = np.sum([bar.get_width() for bar in below.patches])
    assert widths == pytest.approx(line.idle_s.sum())
    assert below.get_xlabel() == "idle in the pipeline, of 33 s [s]"


def test_memory_has_a_bar_per_stage_up_to_its_total(plan: Plan) -> None:
    stages = [plan.estimate.memory] * 3
    (axes,) = memory.draw(stages, 80 * GIB).axes
    ends = [bar.get_x() + bar.get_width() for bar in axes.patches]
    assert max(ends) == pytest.approx(40.0)
    assert sum(bar.get_width() for bar in axes.patches) == pytest.approx(3 * 40.0)
    assert axes.lines[0].get_xdata() == [80, 80]


def test_one_stage_has_room_for_its_axis(plan: Plan) -> None:
    """With a title of two lines; a layout without room warns, which is an error here."""
    figure = memory.draw([plan.estimate.memory], 80 * GIB)
    style.entitle(figure, "gpt13b: what every stage holds\ntp1 pp1 dp64 mb4 zero3")
    figure.draw_without_rendering()
    assert figure.axes[0].get_position().height > 0.2


def test_every_term_of_memory_is_in_one_part() -> None:
    names = [name for _, terms in memory.PARTS.values() for name in terms]
    assert sorted(names) == sorted(EstimateTable.MEMORY)


def test_pareto_by_hand(plan: Plan, miss: Plan) -> None:
    (axes,) = pareto.draw([plan, miss], [plan]).axes
    points = {line.get_gid(): line.get_xydata().tolist() for line in axes.lines if line.get_gid()}
    assert points["front-0"] == [[2.0, 40.0]]
    assert points["front-1"] == [[2.0, 84.0]]
    assert axes.get_xlabel() == "step time [s]"
    assert axes.get_ylabel() == "memory of the fullest GPU [GiB]"


def test_scaling_against_the_ideal(plan: Plan) -> None:
    points = [
        ScalePoint(gpus=16 * n, plan=plan, why="", usd_per_token=1e-6, efficiency=1.0, gain=None)
        for n in (1, 2)
    ]
    none = ScalePoint(
        gpus=8, plan=None, why="nothing fits", usd_per_token=None, efficiency=None, gain=None
    )
    above, below = scaling.draw([none, *points], 32).axes
    ideal, best = (line.get_ydata() for line in above.lines[:2])
    rate = 2048 * 16 / 2.0
    assert list(ideal) == [rate, 2 * rate]
    assert list(best) == [rate, rate]
    assert "50.0 %" in texts(below.figure)


def test_scaling_of_nothing_that_fits() -> None:
    none = ScalePoint(
        gpus=8, plan=None, why="nothing fits", usd_per_token=None, efficiency=None, gain=None
    )
    assert style.image(scaling.draw([none], 8), "svg")


def test_roofline_by_hand(cluster: Cluster) -> None:
    kernel = Kernel(name="a", flop=4e12, moved_bytes=1e10, time_s=0.02, peak_flop_per_s=3e14)
    (axes,) = roofline.draw([kernel], cluster.gpu).axes
    roof, point = axes.lines
    assert max(roof.get_ydata()) == pytest.approx(300)
    assert point.get_xydata().tolist() == [[400.0, 200.0]]
    assert axes.get_xlabel() == "arithmetic intensity [FLOP/byte]"
    assert axes.get_ylabel() == "rate [TFLOP/s]"


@pytest.mark.parametrize(
    ("kind", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG\r\n\x1a\n"), ("pdf", b"%PDF-")]
)
def test_files_open_and_are_the_same_each_time(plan: Plan, kind: str, start: bytes) -> None:
    first, second = (style.image(breakdown.draw(plan.estimate.time), kind) for _ in range(2))
    assert first.startswith(start)
    assert first == second


def test_a_title_is_text_whatever_it_says(plan: Plan) -> None:
    figure = breakdown.draw(plan.estimate.time)
    style.entitle(figure, "$x$ <b> & \x07 \u202e 模型 " + "long " * 40)
    svg = style.image(figure, "svg").decode()
    assert "$x$ &lt;b&gt; &amp; ? ? 模型" in svg
    assert style.image(figure, "png").startswith(b"\x89PNG")
    assert len(re.findall(r">(?:long )+long<", svg)) >= 2


def test_parts_that_stand_side_by_side_differ_in_lightness() -> None:
    def light(colour: str) -> float:
        red, green, blue = to_rgb(colour)
        return 0.299 * red + 0.587 * green + 0.114 * blue

    parts = [colour for colour, _ in memory.PARTS.values()]
    for one, other in combinations([*parts[:2], style.FOURTH], 2):
        assert abs(light(one) - light(other)) > 0.04
    assert len(set(parts)) == len(parts)


@pytest.mark.parametrize("name", ["plan", "plan.gif", ".svgx", "plan.svg.txt"])
def test_other_kinds_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="here are: pdf, png, svg"):
        style.kind_of(name)
