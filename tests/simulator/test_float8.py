"""Casts by row, counted by hand for a block of GPT."""

from dataclasses import replace

import pytest

from plan3d.simulator.block import block_time
from plan3d.simulator.context import Context
from plan3d.simulator.float8 import row_cast_bytes
from plan3d.simulator.layout import Layout
from plan3d.simulator.workload import PRECISIONS
from tests.simulator.jobs import GPT, IDEAL, PLAIN, WIRE, WORK, one

ROWS = replace(WORK, precision=PRECISIONS["fp8-rowwise"])
CONTEXT = Context(model=GPT, work=ROWS, cluster=WIRE, software=PLAIN)
S, H = 1024, 512


def test_a_block_by_hand() -> None:
    """Queries; keys and values; output; two of the MLP: in widths of h in, out."""
    ins, outs = 1 + 1 + 1 + 1 + 4, 1 + 2 + 1 + 4 + 1
    weights = (1 + 2 + 1 + 4 + 4) * H * H
    forward, backward = row_cast_bytes(CONTEXT, one(Layout()), moe=False)
    assert forward == pytest.approx(3 * (ins * S * H + weights))
    assert backward == pytest.approx(5 * ins * S * H + 8 * outs * S * H + 7 * weights)


def test_gathered_inputs_are_cast_whole() -> None:
    """Over four ranks: three inputs of all h, the output's and the MLP's second a quarter."""
    ins, weights = 3 + 1 / 4 + 4 / 4, (1 + 2 + 1 + 4 + 4) * H * H / 4
    forward, _ = row_cast_bytes(CONTEXT, one(Layout(tp=4, sp=1)), moe=False)
    assert forward[0] == pytest.approx(3 * (ins * S * H + weights))


def test_a_block_moves_its_casts() -> None:
    """By tensor, they are in the law of the products."""
    cluster = replace(WIRE, gpu=replace(IDEAL, hbm_bytes_per_s=1e9))
    by_row, by_tensor = (
        block_time(
            replace(CONTEXT, cluster=cluster, work=replace(WORK, precision=PRECISIONS[name])),
            one(Layout()),
        )
        for name in ("fp8-rowwise", "fp8")
    )
    forward, backward = row_cast_bytes(CONTEXT, one(Layout()), moe=False)
    more = by_row.forward.elementwise_s - by_tensor.forward.elementwise_s
    assert more[0] == pytest.approx(forward / 1e9)
    more = by_row.backward.elementwise_s - by_tensor.backward.elementwise_s
    assert more[0] == pytest.approx(backward / 1e9)
    assert by_row.forward.matmul_s[0] == by_tensor.forward.matmul_s[0]
