"""Parameters, gradients and optimizer states: the ZeRO paper's table, and by hand."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.simulator.context import Context
from plan3d.simulator.layout import Layout
from plan3d.simulator.model_states import StageState, stage_state
from plan3d.simulator.stage_params import StageParams
from plan3d.simulator.workload import OPTIMIZERS, PRECISIONS, Workload
from tests.simulator.jobs import DGX, GPT, PLAIN, WORK, one

CONTEXT = Context(model=GPT, work=WORK, cluster=DGX, software=PLAIN)


def params(
    blocks: float, experts: float = 0.0, ends: float = 0.0, unit: float = 0.0
) -> StageParams:
    fields = {
        "blocks": blocks, "experts": experts, "ends": ends, "largest_block": unit,
        "largest_experts": 0.0, "tied_copy": 0.0,
    }  # fmt: skip
    return StageParams(**{k: np.array([v]) for k, v in fields.items()})


def state(
    layout: Layout, stage: StageParams, work: Workload = WORK, context: Context = CONTEXT
) -> StageState:
    return stage_state(replace(context, work=work), one(layout), stage)


def total(found: StageState) -> float:
    return float(found.parameters_bytes[0] + found.gradients_bytes[0] + found.optimizer_bytes[0])


@pytest.mark.parametrize(("zero", "expected_gb"), [(0, 120.0), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_the_table_of_the_zero_paper(zero: int, expected_gb: float) -> None:
    """7.5 B parameters on 64 GPUs with Adam (S. Rajbhandari et al., arXiv:1910.02054, fig. 1)."""
    found = state(Layout(dp=64, zero=zero, shard=64 if zero else 1), params(7.5e9))
    assert total(found) / 1e9 == pytest.approx(expected_gb, abs=0.05)


@pytest.mark.parametrize(
    ("precision", "optimizer", "expected"),
    [
        ("bf16", "adam", (2, 2, 12)),
        ("bf16", "sgd", (2, 2, 4)),
        ("bf16", "adam8bit", (2, 2, 6)),
        ("bf16-pure", "adam", (2, 2, 4)),
        ("fp32", "adam", (4, 4, 8)),
        ("fp32", "momentum", (4, 4, 4)),
    ],
)
def test_bytes_per_parameter(
    precision: str, optimizer: str, expected: tuple[int, int, int]
) -> None:
    work = replace(WORK, precision=PRECISIONS[precision], optimizer=OPTIMIZERS[optimizer])
    found = state(Layout(), params(1.0), work)
    parts = found.parameters_bytes, found.gradients_bytes, found.optimizer_bytes
    assert tuple(p[0] for p in parts) == expected


def test_the_framework_may_accumulate_in_32_bit() -> None:
    software = replace(PLAIN, gradient_bytes=4.0)
    context = replace(CONTEXT, software=software)
    assert state(Layout(), params(1.0), context=context).gradients_bytes[0] == 4
    pure = replace(WORK, precision=PRECISIONS["bf16-pure"])
    assert state(Layout(), params(1.0), pure, context).gradients_bytes[0] == 2


def test_the_optimizers_copy_of_the_gradients_is_sharded_with_its_states() -> None:
    """4 bytes each of those that the rank updates; in pure bf16 there is no copy."""
    context = replace(CONTEXT, software=replace(PLAIN, gradient_copy_bytes=4.0))
    layout = Layout(dp=4, zero=1, shard=4)
    assert state(layout, params(400.0), context=context).copied_bytes[0] == 4 * 100
    assert state(Layout(), params(400.0), context=context).copied_bytes[0] == 4 * 400
    assert state(layout, params(400.0), context=context).gradients_bytes[0] == 2 * 400
    pure = replace(WORK, precision=PRECISIONS["bf16-pure"])
    assert state(layout, params(400.0), pure, context).copied_bytes[0] == 0


def test_gradients_have_a_copy_where_they_are_reduced_whole() -> None:
    """2 bytes each, and 4 more in buckets; sharded ones, and those of one replica, have none."""
    context = replace(CONTEXT, software=replace(PLAIN, reduced_copy_bytes=4.0))
    for layout, found in (
        (Layout(), 2 * 400), (Layout(dp=4), 6 * 400), (Layout(cp=2), 6 * 400),
        (Layout(dp=4, zero=1, shard=4), 6 * 400), (Layout(dp=4, zero=2, shard=4), 2 * 100),
    ):  # fmt: skip
        assert state(layout, params(400.0), context=context).gradients_bytes[0] == found


def test_weights_in_32_bits_may_stay_whole() -> None:
    """4 bytes whole, of Adam's states 8 bytes a quarter each."""
    context = replace(CONTEXT, software=replace(PLAIN, whole_master=True))
    found = state(Layout(dp=4, zero=1, shard=4), params(400.0), context=context)
    assert found.optimizer_bytes[0] == 4 * 400 + 8 * 100


def test_hybrid_sharding_shards_in_its_group() -> None:
    assert total(state(Layout(dp=64, zero=3, shard=8), params(800.0))) == 16 * 100


def test_experts_shard_over_the_ranks_that_share_them() -> None:
    """16 replicas, but each expert has only 4."""
    layout = Layout(dp=16, ep=4, zero=3, shard=16)
    assert total(state(layout, params(1600.0, experts=400.0))) == 16 * (100 + 100)


def test_offloaded_states_leave() -> None:
    found = state(Layout(dp=4, zero=1, shard=4, offload=0.75), params(400.0))
    assert found.optimizer_bytes[0] == 12 * 100 / 4


def test_zero_3_gathers_two_units_and_a_gradient() -> None:
    """A block and the larger of block and ends, 2 bytes a weight; 2 bytes a block's gradient."""
    stage = params(400.0, ends=70.0, unit=50.0)
    found = state(Layout(dp=4, zero=3, shard=4), stage)
    assert found.gathered_bytes[0] == 2 * (50 + 70) + 2 * 50
    assert state(Layout(dp=4, zero=2, shard=4), stage).gathered_bytes[0] == 0


def test_gradients_reduced_once_a_step_are_summed_whole() -> None:
    """In the 4 bytes of the reduction, if there is something to sum; PLAIN reduces in 2."""
    software = replace(PLAIN, reduce_bytes=4.0)
    context = replace(CONTEXT, software=software)
    found = state(Layout(dp=4, zero=3, shard=4), params(400.0), context=context)
    assert found.held_gradients(1.0)[0] == 2 * 400 / 4
    assert found.held_gradients(2.0)[0] == 4 * 400
    # The whole gradient of a unit of 50 is among them, not beside what is gathered.
    unit = state(Layout(dp=4, zero=3, shard=4), params(400.0, unit=50.0), context=context)
    assert unit.held_gradients(2.0)[0] == 4 * 400
    assert unit.held_gathered(2.0)[0] == unit.held_gathered(1.0)[0] - 4 * 50 == 2 * (50 + 50)
    each = replace(context, software=replace(software, zero2_every_micro_batch=True))
    found = state(Layout(dp=4, zero=3, shard=4), params(400.0), context=each)
    assert found.held_gradients(2.0)[0] == 2 * 400 / 4
    found = state(Layout(dp=4, zero=1, shard=4), params(400.0), context=context)
    assert found.held_gradients(2.0)[0] == 2 * 400


def test_pipelines_keep_parameters_gathered_between_micro_batches() -> None:
    """Where they reduce once a step: 2 bytes a weight, whole and as its shard."""
    software = replace(PLAIN, zero2_every_micro_batch=True, pipelines_reduce_once=True)
    context = replace(CONTEXT, software=software)
    found = state(Layout(dp=4, pp=2, zero=3, shard=4), params(400.0, unit=50.0), context=context)
    assert found.held_parameters(1.0)[0] == 2 * 100
    assert found.held_parameters(2.0)[0] == 2 * 100 + 2 * 400
    assert found.held_gathered(2.0)[0] == 0  # all are
    assert found.held_gradients(2.0)[0] == 2 * 400
    alone = state(Layout(dp=4, zero=3, shard=4), params(400.0, unit=50.0), context=context)
    assert alone.held_gradients(2.0)[0] == 2 * 100  # no pipeline: reduced each time
    each = replace(context, software=replace(PLAIN, zero2_every_micro_batch=True))
    for other in (
        state(Layout(dp=4, zero=3, shard=4), params(400.0), context=context),
        state(Layout(dp=4, pp=2, zero=3, shard=4), params(400.0), context=each),
    ):
        assert other.held_parameters(2.0)[0] == other.held_parameters(1.0)[0] == 2 * 100
