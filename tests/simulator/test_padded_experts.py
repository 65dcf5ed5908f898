"""What eager experts move that are padded to the busiest one."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plan3d.simulator.activations import block_activations
from plan3d.simulator.block import block_time
from plan3d.simulator.context import Context
from plan3d.simulator.layout import Layout
from plan3d.simulator.model import Experts
from plan3d.simulator.padded_experts import padded_bytes
from tests.simulator.jobs import DGX, MIXTURE, PLAIN, WIRE, WORK, one

ROOT = Path(__file__).parents[2]

CONTEXT = Context(model=MIXTURE, work=WORK, cluster=WIRE, software=PLAIN)
P, A, R = 8 * 1024 * 1024 * 2, 8 * 1024 * 1408 * 2, 2 * 1024 * 1024 * 2
"""Eight experts with a row for each of 1,024 tokens, 1,024 and 1,408 wide; two rows a token."""


@pytest.mark.parametrize(
    ("gated", "forward", "backward"),
    [
        (True, P + 5 * A + 13 * R, 12 * P + 9 * A + 24 * R),
        (False, P + 2 * A + 13 * R, 12 * P + 3 * A + 24 * R),
    ],
)
def test_by_hand(gated: bool, forward: float, backward: float) -> None:
    assert MIXTURE.experts is not None
    context = replace(CONTEXT, model=replace(MIXTURE, gated=gated))
    found = padded_bytes(context, one(Layout()), MIXTURE.experts)
    assert found == (forward, backward)
    cut = padded_bytes(context, one(Layout(tp=2)), MIXTURE.experts)
    assert cut == (forward / 2, backward / 2)


def test_they_take_the_place_of_routed_rows_in_a_block() -> None:
    """On a GPU of 1e12 bytes/s; two rows a token, each 3 x 1,408 and 6 x 1,024 numbers, are gone.

    14 layers of 16 have experts.
    """
    usual = block_time(CONTEXT, one(Layout()))
    padded = block_time(replace(CONTEXT, software=replace(PLAIN, pads_experts=True)), one(Layout()))
    routed = 2 * 1024 * (3 * 1408 + 6 * 1024) * 2
    more = float(padded.forward.elementwise_s[0] - usual.forward.elementwise_s[0])
    assert more == pytest.approx(14 / 16 * (P + 5 * A + 13 * R - routed) / 1e12)


@pytest.mark.parametrize(("count", "ffn"), [(8, 72), (16, 256)])
def test_as_pytorch_counts(count: int, ffn: int) -> None:
    """Operator by operator, of one sequence of 128 tokens, 1,024 wide."""
    pytest.importorskip("torch")
    script = runpy.run_path(str(ROOT / "benchmarks" / "count_padded_experts.py"))
    experts = Experts(count=count, top_k=2, ffn=ffn)
    context = replace(CONTEXT, work=replace(WORK, seq=128), model=replace(MIXTURE, experts=experts))
    found = np.concatenate(padded_bytes(context, one(Layout()), experts))
    assert script["moved"](count, ffn) == pytest.approx(found, rel=0.03)


def test_what_a_router_keeps_is_as_pytorch_says() -> None:
    """But for attention's result, which is copied once more: 2 of 30 bytes."""
    pytest.importorskip("torch")
    script = runpy.run_path(str(ROOT / "benchmarks" / "count_padded_experts.py"))
    software = replace(
        PLAIN, attention=("flash2",), keeps_routing=True, fp32_norms=True, fp32_norm_results=True,
        repeats_kv=True,
    )  # fmt: skip
    model = replace(
        MIXTURE, heads=8, kv_heads=2, head_dim=128, experts=Experts(count=8, top_k=2, ffn=1024)
    )
    context = replace(
        CONTEXT, model=model, work=replace(WORK, seq=128), software=software, cluster=DGX
    )
    found = block_activations(context, one(Layout())).routing_bytes[0]
    assert found + 2 * 128 * 1024 == pytest.approx(script["kept"](), rel=0.01)
