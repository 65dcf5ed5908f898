"""The roofline: by hand on a machine of round numbers, and below the roof for all kernels."""

from dataclasses import replace

import pytest

from plan3d.simulator.block import block_time
from plan3d.simulator.context import Context
from plan3d.simulator.layout import Layout
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.roofline import attainable_flop_per_s, block_kernels
from plan3d.simulator.software import Software
from tests.simulator.jobs import DGX, GPT, LLAMA, MIXTURE, PLAIN, WIRE, WORK, one


def test_the_roof_by_hand() -> None:
    """A peak of 100 FLOP/s and 10 bytes/s meet at 10 FLOP/byte."""
    assert attainable_flop_per_s(5.0, 100.0, 10.0) == 50
    assert attainable_flop_per_s(10.0, 100.0, 10.0) == 100
    assert attainable_flop_per_s(20.0, 100.0, 10.0) == 100


def test_a_projection_by_hand() -> None:
    """Y[m, n] = X[m, k] W[k, n] in 16 bits: 2 m n k FLOP, 2 (m k + k n + m n) bytes."""
    context = Context(model=GPT, work=WORK, cluster=WIRE, software=PLAIN)
    found = {kernel.name: kernel for kernel in block_kernels(context, Layout(tp=2))}
    m, n, k = WORK.seq, GPT.hidden, GPT.heads * GPT.head_dim // 2
    kernel = found["output projection"]
    assert kernel.flop == 2 * m * n * k
    assert kernel.moved_bytes == 2 * (m * k + k * n + m * n)
    assert kernel.intensity == kernel.flop / kernel.moved_bytes


@pytest.mark.parametrize("software", [PLAIN, replace(PLAIN, attention=())], ids=["fused", "not"])
@pytest.mark.parametrize("model", [GPT, LLAMA, MIXTURE], ids=lambda model: model.name)
def test_no_kernel_is_above_the_roof(model: ModelSpec, software: Software) -> None:
    context = Context(model=model, work=WORK, cluster=DGX, software=software)
    for kernel in block_kernels(context, Layout(tp=2, dp=4)):
        roof = attainable_flop_per_s(
            kernel.intensity, kernel.peak_flop_per_s, DGX.gpu.hbm_bytes_per_s
        )
        assert 0 < kernel.flop_per_s <= roof, kernel.name


def test_the_kernels_are_those_of_the_block() -> None:
    context = Context(model=LLAMA, work=WORK, cluster=DGX, software=PLAIN)
    layout = Layout(tp=2)
    *products, core = block_kernels(context, layout)
    block = block_time(context, one(layout)).forward
    assert sum(kernel.time_s for kernel in products) == pytest.approx(float(block.matmul_s[0]))
    assert core.time_s == pytest.approx(float(block.attention_s[0]))
