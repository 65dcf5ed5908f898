"""Context parallelism, by hand on slow wires: gathered at once, or round a ring."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.simulator.block import block_time
from plan3d.simulator.context import Context
from plan3d.simulator.context_comm import context_comm, kept_heads, merged_bytes
from plan3d.simulator.layout import Layout
from plan3d.simulator.workload import Workload
from tests.simulator.jobs import GPT, IDEAL, LLAMA, PLAIN, WIRE, one

GATHERS = replace(PLAIN, cp_gathers=True)
WORK = Workload(seq=100, global_batch=8)
CONTEXT = Context(model=GPT, work=WORK, cluster=WIRE, software=GATHERS)
KEPT = 25 * 2 * 512
"""Elements of keys and values of a quarter of a sequence of GPT."""
GATHER_S = 4 * KEPT * 2 * 3 / 4 / 200
"""16 bits of all four ranks' on a wire of 200 bytes per second."""
ROUND_S = 4 * KEPT / 50
"""A rank's gradients in 32 bits, from one GPU to the next."""


def passed(layout: Layout, core_s: float = 0.0, *, backward: bool = False) -> tuple[float, float]:
    """Link and exposed time of one pass."""
    link, late = context_comm(CONTEXT, one(layout), core_s, backward=backward)
    return float(np.sum(link)), float(np.sum(late))


def test_one_rank_gathers_nothing() -> None:
    assert passed(Layout()) == passed(Layout(), backward=True) == (0, 0)
    assert merged_bytes(CONTEXT, one(Layout()), backward=False)[0] == 0


@pytest.mark.parametrize(("part", "exposed"), [(0.0, 1.0), (0.25, 0.75), (2.0, 0.0)])
def test_a_gather_hides_behind_the_first_block(part: float, exposed: float) -> None:
    """Attention works on four blocks, the rank's own first."""
    link, late = passed(Layout(cp=4), 4 * part * GATHER_S)
    assert link == pytest.approx(GATHER_S)
    assert late == pytest.approx(exposed * GATHER_S)


@pytest.mark.parametrize(("part", "waits"), [(0.0, 4.0), (0.5, 2.5), (3.0, 1.0)])
def test_gradients_go_round_beside_the_next_block(part: float, waits: float) -> None:
    """Four times: three beside a block, the last beside nothing."""
    block_s = part * ROUND_S
    link, late = passed(Layout(cp=4), 4 * block_s, backward=True)
    assert link == pytest.approx(GATHER_S + 4 * ROUND_S)
    assert late == pytest.approx(max(GATHER_S - block_s, 0) + waits * ROUND_S)


@pytest.mark.parametrize(
    ("backward", "moved"),
    [
        pytest.param(False, 10 * 3 + 6 + 6 + 2 * 4, id="merges, conversions, one tensor"),
        pytest.param(True, 10 * 4 + 6 + 2 * (18 * 4 + 6 + 4), id="gradients of q, k and v"),
    ],
)
def test_results_are_merged_in_32_bits(backward: bool, moved: float) -> None:
    """Bytes per token and element of eight heads of 64."""
    found = merged_bytes(CONTEXT, one(Layout(cp=4)), backward=backward)
    assert found[0] == 25 * 8 * 64 * moved


@pytest.mark.parametrize(
    ("backward", "queries", "keys"),
    [
        pytest.param(False, 4 + 3 * 6, 4, id="results of four blocks; one tensor"),
        pytest.param(True, 4 + 3 * 6, 4 + 2 + 2 * 3 + 6, id="gradients: half, half twice, whole"),
    ],
)
def test_a_ring_merges_in_16_bits(backward: bool, queries: float, keys: float) -> None:
    """Bytes per token of 16 heads of queries and 4 of keys and values, 64 wide, over four ranks."""
    ring = Context(model=LLAMA, work=WORK, cluster=WIRE, software=PLAIN)
    found = merged_bytes(ring, one(Layout(cp=4)), backward=backward)
    assert found[0] == 25 * 64 * (16 * queries + 2 * 4 * keys)
    assert merged_bytes(ring, one(Layout()), backward=backward)[0] == 0


@pytest.mark.parametrize(
    ("cp", "part", "exposed"),
    [
        pytest.param(2, 0.0, 2.0, id="two: keys and values, then their gradients"),
        pytest.param(2, 1.0, 0.0, id="each beside a block"),
        pytest.param(4, 0.0, 6.0, id="four: two alone, two together"),
        pytest.param(4, 1.0, 2.0, id="together they are twice a block"),
        pytest.param(4, 2.0, 0.0, id="all beside blocks"),
    ],
)
def test_gradients_go_round_a_ring_beside_keys_and_values(
    cp: int, part: float, exposed: float
) -> None:
    """Blocks of `part` of the time that keys and values take to the next GPU."""
    ring = replace(CONTEXT, software=PLAIN)
    once_s = 100 / cp * 2 * 512 * 2 / 50
    link, late = context_comm(ring, one(Layout(cp=cp)), cp * part * once_s, backward=True)
    assert link[0] == pytest.approx(2 * (cp - 1) * once_s)
    assert late[0] == pytest.approx(exposed * once_s)


def test_keys_and_values_are_repeated_for_the_queries() -> None:
    """Sixteen query heads, four of keys: gathered are sixteen, round a ring go four."""
    context = Context(model=LLAMA, work=WORK, cluster=WIRE, software=GATHERS)
    ring = replace(context, software=PLAIN)
    assert kept_heads(context, one(Layout(cp=2, tp=2)))[0] == 8 * 2 * 64
    assert kept_heads(ring, one(Layout(cp=2, tp=2)))[0] == 2 * 2 * 64


def test_an_all_to_all_stays_one() -> None:
    layout = Layout(cp=4, cp_all_to_all=1)
    ring = replace(CONTEXT, software=PLAIN)
    expected = context_comm(ring, one(layout), 0.0, backward=False)
    assert passed(layout) == tuple(float(np.sum(x)) for x in expected)
    assert merged_bytes(CONTEXT, one(layout), backward=True)[0] == 0


def test_a_block_moves_what_is_merged() -> None:
    """At 1,000 bytes per second, as much as kernels that are half fused move: twice."""
    cluster = replace(WIRE, gpu=replace(IDEAL, hbm_bytes_per_s=1000.0))
    software = replace(GATHERS, elementwise_traffic=2.0)
    context = replace(CONTEXT, cluster=cluster, software=software)
    swapped = Layout(cp=4, cp_all_to_all=1)
    once, never = (
        block_time(context, one(layout)).forward.elementwise_s[0]
        for layout in (Layout(cp=4), swapped)
    )
    assert once - never == pytest.approx(2 * 25 * 8 * 64 * 50 / 1000)
