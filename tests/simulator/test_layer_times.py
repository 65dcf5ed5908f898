"""Published times of single layers, from constants of kernels and links measured on their own."""

from dataclasses import replace

import pytest

from plan3d.simulator.block import block_time
from plan3d.simulator.context import Context
from plan3d.simulator.layout import Layout
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.workload import PRECISIONS, Workload
from tests.simulator.jobs import A100, DGX, PLAIN, one

GPT_22B = ModelSpec(
    layers=48, hidden=6144, heads=64, kv_heads=64, head_dim=96, ffn=4 * 6144, vocab=51200
)  # fmt: skip
KORTHIKANTI = Context(
    model=GPT_22B,
    work=Workload(seq=2048, global_batch=4, precision=PRECISIONS["fp16"], dropout=True),
    cluster=replace(
        DGX,
        gpu=replace(
            A100,
            hbm_bytes_per_s=2039e9,
            gemm=replace(A100.gemm, efficiency=0.796, droop=0.0),
        ),
    ),
    software=PLAIN,
)
"""One A100 node. Its constants are those of kernels and collectives, measured on their own."""


@pytest.mark.parametrize(
    ("sp", "recompute", "forward_ms", "backward_ms"),
    [
        pytest.param(0, "none", 7.7, 11.9, id="baseline"),
        pytest.param(1, "none", 7.2, 11.8, id="sequence parallelism"),
        pytest.param(0, "full", 7.7, 19.5, id="full recompute"),
        pytest.param(0, "selective", 7.7, 13.2, id="selective recompute"),
        pytest.param(1, "selective", 7.2, 13.1, id="both"),
    ],
)
def test_the_layer_of_22b(sp: int, recompute: str, forward_ms: float, backward_ms: float) -> None:
    """V. Korthikanti et al., arXiv:2205.05198, table 4: b = 4, s = 2048, t = 8."""
    block = block_time(KORTHIKANTI, one(Layout(tp=8, micro_batch=4, sp=sp)))
    forward_s = float(block.forward.total_s[0])
    again = {"none": 0.0, "full": forward_s, "selective": float(block.forward.attention_s[0])}
    assert forward_s * 1e3 == pytest.approx(forward_ms, rel=0.1)
    found_s = float(block.backward.total_s[0]) + again[recompute]
    assert found_s * 1e3 == pytest.approx(backward_ms, rel=0.1)


def test_gathering_again_hides_behind_half_of_the_products() -> None:
    """Products of backward: those of the data do not wait for the gathered input."""
    layout = one(Layout(tp=8, sp=1, micro_batch=4))
    for slower, hidden in ((1.0, True), (1e4, False)):
        node = replace(DGX.node, all_gather_bytes_per_s=230e9 / slower)
        found = block_time(replace(KORTHIKANTI, cluster=replace(DGX, node=node)), layout)
        again = float(found.backward.tp_link_s[0] - found.forward.tp_link_s[0])
        late = again - found.backward.matmul_s[0] / 2
        assert bool(late < 0) is hidden
        exposed = found.backward.tp_comm_s[0] - found.forward.tp_comm_s[0]
        assert exposed == pytest.approx(max(late, 0.0))
