"""Schedules played out against closed forms, and against another program."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan3d.simulator.events import StageCosts, play
from plan3d.simulator.layout import Schedule
from plan3d.simulator.pipeline import bubble_s, in_flight
from plan3d.simulator.schedules.table import build
from plan3d.simulator.timeline import Timeline
from tests.simulator.schedules import play as other_play

ranks, times = st.integers(2, 6), st.sampled_from([1.0, 2.0, 3.5, 4.25])
quick = settings(max_examples=40, deadline=None)


def uniform(name: str, p: int, m: int, v: int, t: tuple[float, float, float]) -> Timeline:
    """A rank's whole forward, input and weight gradients take `t`, cut evenly into v chunks."""
    f, i, w = (each / v for each in t)
    costs = StageCosts(forward_s=f, backward_input_s=i, backward_weight_s=w, activations=1 / v)
    return play(build(name, p, m, v), costs)


@given(p=ranks, m=st.integers(1, 14), t=st.tuples(times, times, times))
@quick
def test_gpipe_and_1f1b(p: int, m: int, t: tuple[float, float, float]) -> None:
    for name, schedule in (("gpipe", Schedule.GPIPE), ("one_f_one_b", Schedule.ONE_F_ONE_B)):
        line = uniform(name, p, m, 1, t)
        bubble = bubble_s(p * sum(t), sum(t), 1)
        assert line.makespan_s == pytest.approx(m * sum(t) + bubble)
        assert line.idle_s == pytest.approx(np.full(p, bubble))
        stage = np.arange(p, dtype=np.float64)
        assert line.peak_activations == pytest.approx(in_flight(stage, p, 1, m, schedule))


@given(p=ranks, rounds=st.integers(1, 4), v=st.integers(2, 4), t=st.tuples(times, times, times))
@quick
def test_interleaved(p: int, rounds: int, v: int, t: tuple[float, float, float]) -> None:
    line = uniform("interleaved", p, rounds * p, v, t)
    assert line.idle_s == pytest.approx(np.full(p, bubble_s(p * sum(t), sum(t), v)))
    stage = np.arange(p, dtype=np.float64)
    flying = in_flight(stage, p, v, rounds * p, Schedule.INTERLEAVED)
    assert line.peak_activations == pytest.approx(flying)


@given(p=ranks, more=st.integers(0, 6), v=st.integers(1, 4), t=st.tuples(times, times, times))
@quick
def test_looped_bfs(p: int, more: int, v: int, t: tuple[float, float, float]) -> None:
    """Bubble (p-1)(F+B)/v, and everything in flight: Lamy-Poirier, arXiv:2211.05953."""
    line = uniform("looped_bfs", p, p + more, v, t)
    assert line.idle_s == pytest.approx(np.full(p, (p - 1) * sum(t) / v))
    assert line.peak_activations == pytest.approx(np.full(p, p + more))


@given(p=ranks, rounds=st.integers(2, 4), v=st.integers(1, 3), f=times, i=times, w=times)
@quick
def test_zb_h1(p: int, rounds: int, v: int, f: float, i: float, w: float) -> None:
    """Qi et al., arXiv:2401.10241, section 2.3: bubble (p-1)(F+I-W), memory p."""
    w = min(f, i, w)
    line = uniform("zb_h1", p, rounds * p, v, (f, i, w))
    assert line.makespan_s - rounds * p * (f + i + w) == pytest.approx((p - 1) * (f + i - w) / v)
    assert line.peak_activations == pytest.approx(np.full(p, p))


@given(p=ranks, more=st.integers(0, 9), f=times, i=times, w=times)
@quick
def test_zb_h2(p: int, more: int, f: float, i: float, w: float) -> None:
    """The same section: (p-1)(F+I-2W) of a rank's own time, memory 2p-1."""
    w, m = min(f, i, w), 2 * p - 1 + more
    line = uniform("zb_h2", p, m, 1, (f, i, w))
    bubble = line.span_s.max() - m * (f + i + w)
    assert bubble == pytest.approx((p - 1) * (f + i - 2 * w), abs=1e-9)
    assert line.peak_activations == pytest.approx(np.full(p, 2 * p - 1))


@given(p=ranks, more=st.integers(0, 9), t=times)
@quick
def test_zb_v(p: int, more: int, t: float) -> None:
    """No bubble where all passes last alike, in the memory of 1F1B: arXiv:2405.15362."""
    m = 2 * p + more
    line = uniform("zb_v", p, m, 2, (t, t, t))
    assert line.span_s == pytest.approx(np.full(p, 3 * m * t))
    assert line.makespan_s == pytest.approx(3 * m * t + (p - 1) * t / 2)
    assert line.peak_activations == pytest.approx(np.full(p, p))


@given(half=st.integers(1, 4), more=st.integers(0, 3), t=times, w=times, hidden=st.floats(0, 1))
@quick
def test_dualpipe(half: int, more: int, t: float, w: float, hidden: float) -> None:
    """The authors' table: bubble (p/2-1)(F&B + B - 3W), memory p + 1.

    Exact where F and I last alike, W no longer, and F&B neither longer than F + B nor shorter
    than B.
    """
    w, m = min(t, w), 2 * half + more
    backward = t + w
    pair = t + backward - hidden * t
    bubble = (half - 1) * (pair + backward - 3 * w)
    costs = StageCosts(
        forward_s=t, backward_input_s=t, backward_weight_s=w, overlapped=pair / (t + backward)
    )
    for program in (build("dualpipe", 2 * half, 2 * m), build("dualpipe_v", half, m, 2)):
        line = play(program, costs)
        assert line.idle_s.max() == pytest.approx(bubble, abs=1e-9)
        assert line.peak_activations == pytest.approx(np.full(program.ranks, 2 * half + 1))


@given(
    p=ranks, m=st.integers(1, 4), v=st.integers(1, 3), data=st.data(),
)  # fmt: skip
@quick
def test_uneven_stages_as_another_program_plays_them(
    p: int, m: int, v: int, data: st.DataObject
) -> None:
    forward = data.draw(st.lists(times, min_size=p, max_size=p))
    backward = data.draw(st.lists(times, min_size=p, max_size=p))
    costs = StageCosts(
        forward_s=np.tile(forward, v) / v, backward_input_s=np.tile(backward, v) / v,
        backward_weight_s=0.0,
    )  # fmt: skip
    if v > 1:
        expected = {"interleaved": other_play(forward, backward, m * p, v)}
    else:
        expected = {"one_f_one_b": other_play(forward, backward, m * p)}
        expected["gpipe"] = other_play(forward, backward, m * p, gpipe=True)
    for name, makespan in expected.items():
        assert play(build(name, p, m * p, v), costs).makespan_s == pytest.approx(makespan)


@given(p=ranks, rounds=st.integers(2, 4), t=st.tuples(times, times, times))
@quick
def test_1f1b_waits_for_transfers_that_interleaving_hides(
    p: int, rounds: int, t: tuple[float, float, float]
) -> None:
    """Of p micro-batches in flight each goes there and back, 2 (p - 1) transfers in p turns."""
    f, i, w = t
    for name, v, extra in (("one_f_one_b", 1, 2 * (p - 1)), ("interleaved", 2, 0), ("gpipe", 1, 0)):
        costs = StageCosts(
            forward_s=f / v, backward_input_s=i / v, backward_weight_s=w / v, transfer_s=0.0625
        )
        few, many = (play(build(name, p, n * p, v), costs) for n in (rounds, rounds + 1))
        assert many.makespan_s - few.makespan_s == pytest.approx(p * sum(t) + extra * 0.0625)
