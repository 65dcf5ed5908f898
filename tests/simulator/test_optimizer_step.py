"""Updating the parameters, by hand on a GPU that moves 1e12 bytes/s."""

from dataclasses import replace

import pytest

from plan3d.simulator.context import Context
from plan3d.simulator.layout import Layout
from plan3d.simulator.optimizer_step import offload_s, optimizer_s, own_params
from plan3d.simulator.workload import OPTIMIZERS, PRECISIONS
from tests.simulator.jobs import GPT, PLAIN, WIRE, WORK, one
from tests.simulator.test_model_states import params

CONTEXT = Context(model=GPT, work=WORK, cluster=WIRE, software=PLAIN)


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        pytest.param(Layout(), 900 + 100 + 400, id="all"),
        pytest.param(Layout(dp=4), 1400, id="replicas update alike"),
        pytest.param(Layout(dp=4, zero=1, shard=4), 350, id="a quarter each"),
        pytest.param(Layout(dp=8, zero=1, shard=4), 350, id="in each of two groups"),
        pytest.param(Layout(dp=4, ep=2, zero=1, shard=4), 250 + 200, id="experts have two copies"),
        pytest.param(Layout(dp=4, ep=4, zero=3, shard=4), 250 + 400, id="experts have one copy"),
    ],
)
def test_whose_parameters(layout: Layout, expected: float) -> None:
    assert own_params(one(layout), params(900.0, experts=400.0, ends=100.0)) == expected


@pytest.mark.parametrize(
    ("layout", "expected_s"),
    [
        # Adam in mixed precision: m, v and master read and written (24), gradient read and weight
        # written (4); the norm reads and zeroing writes local gradients (4).
        pytest.param(Layout(), 28e-3 + 4e-3, id="everything"),
        pytest.param(Layout(dp=4, zero=1, shard=4), 7e-3 + 4e-3, id="ZeRO-1 has whole gradients"),
        pytest.param(Layout(dp=4, zero=2, shard=4), 7e-3 + 1e-3, id="ZeRO-2 has its part"),
    ],
)
def test_a_billion_parameters(layout: Layout, expected_s: float) -> None:
    assert optimizer_s(CONTEXT, one(layout), params(1e9)) == pytest.approx(expected_s)


@pytest.mark.parametrize(
    ("precision", "optimizer", "bytes_moved"),
    [
        ("bf16", "sgd", 2 * 4 + 2 + 2 + 4),
        ("bf16", "adam8bit", 2 * 2 * 1 + 2 * 4 + 2 + 2 + 4),
        ("fp32", "adam", 2 * 2 * 4 + 4 + 4 + 8),
    ],
)
def test_other_optimizers(precision: str, optimizer: str, bytes_moved: float) -> None:
    work = replace(WORK, precision=PRECISIONS[precision], optimizer=OPTIMIZERS[optimizer])
    found = optimizer_s(replace(CONTEXT, work=work), one(Layout()), params(1e9))
    assert found == pytest.approx(bytes_moved / 1e3)


def test_offloading_moves_gradients_down_and_weights_up() -> None:
    """Half of a quarter of 1e9 parameters, 4 bytes each, at 1e10 bytes/s."""
    layout = one(Layout(dp=4, zero=1, shard=4, offload=0.5))
    assert offload_s(CONTEXT, layout, params(1e9)) == pytest.approx(0.05)
    assert offload_s(CONTEXT, one(Layout()), params(1e9)) == 0
