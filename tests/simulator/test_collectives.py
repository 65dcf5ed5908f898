"""Collectives by hand on wires of a few hundred bytes per second, and against the written law."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plan3d.simulator.collectives import (
    all_gather_s,
    all_reduce_s,
    all_to_all_s,
    broadcast_s,
    p2p_s,
    reduce_scatter_s,
)
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.numeric import Numeric
from plan3d.simulator.placement import Group
from tests.simulator.jobs import DGX, WIRE

Collective = Callable[[Numeric, Group, Cluster], Numeric]
COLLECTIVES: tuple[Collective, ...] = (
    all_reduce_s, all_gather_s, reduce_scatter_s, all_to_all_s, broadcast_s,
)  # fmt: skip
ONE, FOUR = Group(size=1.0, local=1.0), Group(size=4.0, local=4.0)
TWO_NODES, APART = Group(size=16.0, local=8.0), Group(size=4.0, local=1.0)
every = pytest.mark.parametrize("collective", COLLECTIVES, ids=lambda c: c.__name__)


@pytest.mark.parametrize(
    ("collective", "size", "group", "expected_s"),
    [
        pytest.param(all_reduce_s, 400.0, FOUR, 600 / 400, id="600 of 400 bytes pass the link"),
        pytest.param(all_gather_s, 400.0, FOUR, 300 / 200, id="three quarters arrive"),
        pytest.param(reduce_scatter_s, 400.0, FOUR, 300 / 100, id="three quarters leave"),
        pytest.param(all_to_all_s, 400.0, FOUR, 300 / 200, id="a quarter to each of three"),
        pytest.param(broadcast_s, 400.0, FOUR, 400 / 200, id="all of it passes"),
        pytest.param(broadcast_s, 1600.0, TWO_NODES, 1600 / 80, id="all of it leaves the node"),
        pytest.param(broadcast_s, 400.0, APART, 400 / 10, id="by one adapter"),
        pytest.param(all_gather_s, 1600.0, TWO_NODES, 1500 / 80, id="8 adapters of 10 bytes/s"),
        pytest.param(all_reduce_s, 1600.0, TWO_NODES, 3000 / 80, id="both ways"),
        pytest.param(all_gather_s, 400.0, APART, 300 / 10, id="one adapter"),
        pytest.param(all_to_all_s, 400.0, APART, 300 / 10, id="all of it over the network"),
        pytest.param(
            all_to_all_s, 400.0, Group(size=4.0, local=2.0), 200 / 10, id="half of it, the rest in"
        ),
    ],
)
def test_by_hand(collective: Collective, size: float, group: Group, expected_s: float) -> None:
    assert collective(size, group, WIRE) == pytest.approx(expected_s)


@every
def test_alone_costs_nothing(collective: Collective) -> None:
    assert collective(1e9, ONE, DGX) == 0


@pytest.mark.parametrize(
    ("collective", "group", "expected_s"),
    [
        pytest.param(all_reduce_s, FOUR, 1 + 2 * 6, id="six steps around"),
        pytest.param(all_gather_s, FOUR, 1 + 2 * 3, id="three steps around"),
        pytest.param(all_to_all_s, FOUR, 1 + 2 * 3, id="three partners"),
        pytest.param(all_reduce_s, TWO_NODES, 1 + 2 * 14 + 10, id="one level of the tree"),
        pytest.param(all_reduce_s, APART, 1 + 2 * 0 + 20, id="two levels"),
        pytest.param(reduce_scatter_s, APART, 1 + 4 * 100, id="a ring of four nodes"),
        pytest.param(broadcast_s, FOUR, 1 + 2 * 3, id="three steps from its owner"),
        pytest.param(broadcast_s, TWO_NODES, 1 + 2 * 7 + 2 * 100, id="and two nodes"),
        pytest.param(all_to_all_s, TWO_NODES, 1 + 2 * 15 + 1000, id="partners outside"),
    ],
)
def test_latency_by_hand(collective: Collective, group: Group, expected_s: float) -> None:
    slow = replace(
        WIRE,
        node=replace(
            WIRE.node,
            latency_s=1.0,
            step_latency_s=2.0,
            all_to_all_latency_s=1.0,
            all_to_all_step_s=2.0,
        ),
        network=replace(
            WIRE.network, tree_latency_s=10.0, ring_latency_s=100.0, p2p_latency_s=1000.0
        ),
    )
    assert collective(0.0, group, slow) == expected_s


def test_small_groups_and_small_messages_lose() -> None:
    lossy = replace(WIRE, node=replace(WIRE.node, group_loss=0.5, ramp_s_per_sqrt_byte=2.0))
    pair = Group(size=2.0, local=2.0)
    assert all_gather_s(200.0, pair, lossy) == pytest.approx(100 / (200 * 0.75) + 2 * 10)


@pytest.mark.parametrize(("crosses", "expected_s"), [(0.0, 100 / 50), (1.0, 100 / 5)])
def test_a_send_by_hand(crosses: float, expected_s: float) -> None:
    assert p2p_s(100.0, crosses, WIRE) == expected_s


@given(
    size=st.floats(1, 1e12), local=st.sampled_from([1.0, 2.0, 8.0]),
    nodes=st.sampled_from([1.0, 3.0, 64.0]),
)  # fmt: skip
def test_all_reduce_sends_what_its_two_halves_send(size: float, local: float, nodes: float) -> None:
    """Where each operation has the same bandwidth and latency is nothing."""
    node = replace(WIRE.node, all_reduce_bytes_per_s=100.0, all_gather_bytes_per_s=100.0)
    cluster = replace(WIRE, node=node)
    group = Group(size=local * nodes, local=local)
    halves = reduce_scatter_s(size, group, cluster) + all_gather_s(size, group, cluster)
    assert all_reduce_s(size, group, cluster) == pytest.approx(halves)


def written_law(size: float, n: float, g: float, *, whole: bool) -> float:
    """Ring inside the nodes of DGX, tree or ring between them, one number at a time."""
    fabric, network, nodes = DGX.node, DGX.network, n / g
    rate = fabric.all_reduce_bytes_per_s if whole else fabric.all_gather_bytes_per_s
    wire = size * (n - 1) / n * (2 if whole else 1)
    rates = []
    if g > 1:
        rates.append(rate * (1 - fabric.group_loss / g))
    if nodes > 1:
        rates.append(g * network.nic_bytes_per_s * network.efficiency)
    between = 0.0
    if nodes > 1:
        tree = network.tree_latency_s * math.log2(nodes)
        between = tree if whole else network.ring_latency_s * nodes
    steps = (2 if whole else 1) * (g - 1)
    inside = fabric.latency_s + steps * fabric.step_latency_s
    return inside + fabric.ramp_s_per_sqrt_byte * math.sqrt(wire) + wire / min(rates) + between


@given(
    size=st.floats(0, 1e12), local=st.sampled_from([1.0, 2.0, 8.0]),
    nodes=st.sampled_from([1.0, 2.0, 5.0, 128.0]),
)  # fmt: skip
def test_the_law_one_number_at_a_time(size: float, local: float, nodes: float) -> None:
    n = local * nodes
    assume(n > 1)
    group = Group(size=n, local=local)
    assert all_reduce_s(size, group, DGX) == pytest.approx(written_law(size, n, local, whole=True))
    assert all_gather_s(size, group, DGX) == pytest.approx(written_law(size, n, local, whole=False))


@every
def test_a_column_is_the_scalars(collective: Collective) -> None:
    size = np.array([1e3, 1e6, 1e9, 1e9])
    n, g = np.array([1.0, 8.0, 64.0, 16.0]), np.array([1.0, 8.0, 8.0, 1.0])
    found = collective(size, Group(size=n, local=g), DGX)
    scalars = [
        float(collective(float(s), Group(size=float(a), local=float(b)), DGX))
        for s, a, b in zip(size, n, g, strict=True)
    ]
    assert np.array_equal(found, scalars)


@every
@given(small=st.floats(0, 1e11), more=st.floats(0, 1e11))
def test_more_bytes_never_take_less(collective: Collective, small: float, more: float) -> None:
    assert collective(small + more, TWO_NODES, DGX) >= collective(small, TWO_NODES, DGX)


def test_an_all_to_all_has_its_own_latencies_and_ramp() -> None:
    """300 bytes leave each of four ranks: 2 + 3 * 5 to start, 4 * sqrt(300) ramp, 300 / 150."""
    node = replace(
        WIRE.node, latency_s=1e9, step_latency_s=1e9, all_to_all_latency_s=2.0,
        all_to_all_step_s=5.0, all_to_all_bytes_per_s=150.0, ramp_s_per_sqrt_byte=4.0,
    )  # fmt: skip
    found = all_to_all_s(400.0, FOUR, replace(WIRE, node=node))
    assert found == pytest.approx(2 + 3 * 5 + 4 * 300**0.5 + 300 / 150)
