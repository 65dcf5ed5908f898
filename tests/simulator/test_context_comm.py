"""Context parallelism that gathers keys and values at once, by hand on slow wires."""

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
    ring = replace(CONTEXT, software=PLAIN)
    assert merged_bytes(ring, one(Layout(cp=4)), backward=backward)[0] == 0


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
    once, never = (
        block_time(
            replace(CONTEXT, cluster=cluster, software=replace(software, elementwise_traffic=2.0)),
            one(Layout(cp=4)),
        ).forward.elementwise_s[0]
        for software in (GATHERS, PLAIN)
    )
    assert once - never == pytest.approx(2 * 25 * 8 * 64 * 50 / 1000)
