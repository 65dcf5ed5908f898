"""Pipelines in closed form against schedules played operation by operation."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan3d.simulator.context import Context
from plan3d.simulator.layout import Layout, LayoutTable, Schedule
from plan3d.simulator.pipeline import (
    StageLayers,
    bubble_s,
    counts_ends,
    in_flight,
    last_stage_layers,
    stage_layers,
    weighed_layers,
)
from tests.simulator.jobs import DGX, GPT, PLAIN, WORK
from tests.simulator.schedules import most_alive, order, play

stages, times = st.integers(2, 6), st.sampled_from([1.0, 2.0, 3.5])


@pytest.mark.parametrize(
    ("layers", "pp", "vpp", "counted", "fullest", "last"),
    [
        pytest.param(96, 1, 1, 0, 96, 96, id="one stage"),
        pytest.param(96, 8, 1, 0, 12, 12, id="even"),
        pytest.param(96, 8, 3, 0, 12, 12, id="even chunks"),
        pytest.param(126, 16, 1, 1, 8, 7, id="Llama 3 405B: 126 layers and two ends"),
        pytest.param(126, 16, 2, 1, 8, 7, id="the same, interleaved"),
        pytest.param(6, 2, 2, 1, 3, 3, id="two stages, each with one end"),
        pytest.param(10, 4, 1, 1, 3, 2, id="10 and 2 ends are 12"),
        pytest.param(11, 4, 1, 0, 3, 2, id="uneven: rounded up"),
        pytest.param(11, 2, 2, 0, 6, 5, id="uneven chunks"),
    ],
)
def test_layers_by_hand(
    layers: float, pp: float, vpp: float, counted: float, fullest: float, last: float
) -> None:
    assert counts_ends(layers, pp, vpp) == counted
    assert stage_layers(layers, pp, vpp) == fullest
    assert last_stage_layers(layers, pp, vpp) == last


@given(per=st.integers(1, 6), pp=st.integers(3, 16), vpp=st.integers(1, 4))
def test_counted_ends_lose_no_layer(per: int, pp: int, vpp: int) -> None:
    """Two stages have a layer less, for embedding and loss; the others are full."""
    layers = per * pp * vpp - 2
    full, last = stage_layers(layers, pp, vpp), last_stage_layers(layers, pp, vpp)
    assert full * (pp - 2) + 2 * last == layers


@given(layers=st.integers(1, 40), head=st.integers(1, 12), pp=st.integers(1, 16))
def test_stages_by_cost_are_those_of_going_through_the_blocks(
    layers: int, head: int, pp: int
) -> None:
    """Layers one after another, a stage closed once the cost so far is its share; the head last.

    It weighs an eighth of a layer's cost times `head`: sums are exact.
    """
    weight = head / 8
    counts, done = [0] * pp, 0
    for stage in range(pp):
        while done < layers and (done * pp < (layers + weight) * (stage + 1) or stage == pp - 1):
            counts[stage], done = counts[stage] + 1, done + 1
    first, last = weighed_layers(float(layers), weight, float(pp))
    assert sum(counts) == layers
    assert (first, last) == (counts[0], counts[-1])
    assert first == max(counts)


def test_a_heavy_head_fills_the_first_stage() -> None:
    """16 layers and a head of four, as the 1B model of the Ultra-Scale Playbook: 10 and 6."""
    found = StageLayers.of(16.0, LayoutTable.of([Layout(pp=2), Layout()]), 4.0)
    assert found.fullest.tolist() == [10, 16]
    assert found.last.tolist() == [6, 16]
    assert found.even.tolist() == [1, 1]


def test_a_split_may_close_a_stage_beyond_its_share_only() -> None:
    """The head weighs four layers, as the blocks of GPT with a vocabulary of 4 x 12 h: 10 or 11."""
    model = replace(GPT, layers=16, vocab=4 * 12 * GPT.hidden)  # a block is 12 h^2
    for beyond, layers in ((False, 10), (True, 11)):
        software = replace(PLAIN, head_in_split=True, split_beyond=beyond)
        context = Context(model=model, work=WORK, cluster=DGX, software=software)
        table = LayoutTable.of([Layout(pp=2)])
        assert StageLayers.of(16.0, table, context.head_in_layers).fullest.tolist() == [layers]
    plain = Context(model=model, work=WORK, cluster=DGX, software=PLAIN)
    assert plain.head_in_layers == 0


def test_a_table_has_the_stages_of_its_rows() -> None:
    table = LayoutTable.of([Layout(), Layout(pp=4), Layout(pp=2), Layout(pp=7)])
    found = StageLayers.of(12.0, table)
    assert found.fullest.tolist() == [12, 3, 6, 2]
    assert found.last.tolist() == [12, 3, 6, 1]
    assert found.even.tolist() == [1, 1, 1, 0]  # 14 = 7 * 2: embedding and loss counted
    assert found.gather([3]).fullest.tolist() == [2]  # type: ignore[arg-type]


def total(forward_s: list[float], backward_s: list[float], m: int, v: int = 1) -> float:
    both = [f + b for f, b in zip(forward_s, backward_s, strict=True)]
    return m * max(both) + float(bubble_s(sum(both), max(both), v))


@given(p=stages, m=st.integers(1, 12), forward_s=times, backward_s=times)
@settings(max_examples=40, deadline=None)
def test_uniform_stages(p: int, m: int, forward_s: float, backward_s: float) -> None:
    forward, backward = [forward_s] * p, [backward_s] * p
    closed = total(forward, backward, m)
    assert closed == m * (forward_s + backward_s) + (p - 1) * (forward_s + backward_s)
    assert play(forward, backward, m, gpipe=True) == closed
    assert play(forward, backward, m) == closed


@given(p=stages, groups=st.integers(1, 3), v=st.integers(2, 4), times=st.tuples(times, times))
@settings(max_examples=40, deadline=None)
def test_interleaving_divides_the_bubble(
    p: int, groups: int, v: int, times: tuple[float, float]
) -> None:
    forward, backward = [times[0]] * p, [times[1]] * p
    closed = total(forward, backward, groups * p, v)
    assert closed == pytest.approx(groups * p * sum(times) + (p - 1) * sum(times) / v)
    assert play(forward, backward, groups * p, v) == pytest.approx(closed)


@given(p=stages, m=st.integers(1, 12), slow=st.integers(0, 5), factor=st.floats(1, 3))
@settings(max_examples=40, deadline=None)
def test_one_slow_stage(p: int, m: int, slow: int, factor: float) -> None:
    """Exact for GPipe and for a slow last stage; 1F1B with a slow first one does a bit better."""
    forward = [1.0] * p
    forward[slow % p] = factor
    backward = [2 * f for f in forward]
    closed = total(forward, backward, m)
    assert play(forward, backward, m, gpipe=True) == pytest.approx(closed)
    assert play(forward, backward, m) <= closed * (1 + 1e-12)
    forward.sort()
    backward.sort()
    assert play(forward, backward, m) == pytest.approx(total(forward, backward, m))


def test_one_stage_has_no_bubble() -> None:
    assert bubble_s(3.0, 3.0, 1.0) == 0


@given(p=st.integers(1, 6), m=st.integers(1, 14), data=st.data())
def test_micro_batches_in_flight(p: int, m: int, data: st.DataObject) -> None:
    i = data.draw(st.integers(0, p - 1))
    gpipe, one = Schedule.GPIPE, Schedule.ONE_F_ONE_B
    assert in_flight(i, p, 1, m, gpipe) == most_alive(order(i, p, 1, m, gpipe=True)) == m
    assert in_flight(i, p, 1, m, one) == most_alive(order(i, p, 1, m)) == min(m, p - i)


@given(p=stages, v=st.integers(2, 4), groups=st.integers(1, 3), data=st.data())
def test_chunks_in_flight(p: int, v: int, groups: int, data: st.DataObject) -> None:
    i, m = data.draw(st.integers(0, p - 1)), groups * p
    found = in_flight(i, p, v, m, Schedule.INTERLEAVED)
    assert found == pytest.approx(most_alive(order(i, p, v, m)) / v)


@given(p=stages, v=st.integers(2, 4))
def test_the_first_stage_keeps_what_korthikanti_says(p: int, v: int) -> None:
    """L (1 + (p-1)/(pv)) layers, of which a stage has L/p."""
    found = in_flight(0, p, v, 1000, Schedule.INTERLEAVED)
    assert found / p == pytest.approx(1 + (p - 1) / (p * v))
