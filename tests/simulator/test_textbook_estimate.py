"""Round numbers, so that every term can be worked out by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from plan3d.simulator.errors import InputError
from plan3d.simulator.hardware import Cluster, GemmLaw, Gpu, Network, NodeFabric, Peaks
from plan3d.simulator.layout import Layout, LayoutTable, Recompute, Schedule
from plan3d.simulator.model import Experts, ModelSpec
from plan3d.simulator.result import Estimate, EstimateTable
from plan3d.simulator.textbook import training_time_s
from plan3d.simulator.textbook_estimate import UTILISATION, textbook_table
from plan3d.simulator.workload import GradientSync, Workload

GPU = Gpu(
    name="round", peaks=Peaks(fp32=1e12, tf32=1e12, fp16=1e14, bf16=1e14, fp8=0),
    memory_bytes=80e9, hbm_bytes_per_s=1e12, sms=100,
    gemm=GemmLaw(efficiency=1, droop=0, overhead_s=0, memory_efficiency=1, fp8_efficiency=1),
    attention={}, elementwise_efficiency=1, elementwise_overhead_s=0, host_bytes_per_s=1e10,
    context_bytes=0, power_w=400, usd_per_s=0,
)  # fmt: skip
CLUSTER = Cluster(
    name="round", gpu=GPU, gpus_per_node=8,
    node=NodeFabric(
        latency_s=0, step_latency_s=0, ramp_s_per_sqrt_byte=0, all_reduce_bytes_per_s=1e11,
        all_gather_bytes_per_s=1e11, reduce_scatter_bytes_per_s=1e11, group_loss=0,
        p2p_latency_s=0, p2p_bytes_per_s=1e11,
        all_to_all_latency_s=0, all_to_all_step_s=0, all_to_all_bytes_per_s=1e11,
    ),
    network=Network(
        name="round", nic_bytes_per_s=1e10, efficiency=1, tree_latency_s=0, ring_latency_s=0,
        p2p_latency_s=0, p2p_efficiency=1,
    ),
)  # fmt: skip
MODEL = ModelSpec(layers=10, hidden=1000, heads=10, kv_heads=10, head_dim=100, ffn=4000, vocab=5000)
"""12 x 10 x 1000^2 + 2 x 5000 x 1000: 120M and 10M parameters."""
PARAMS = 130e6
WORK = Workload(seq=1000, global_batch=100)


def one(work: Workload = WORK, cluster: Cluster = CLUSTER, **layout: Any) -> Estimate:
    return textbook_table(MODEL, work, cluster, LayoutTable.of([Layout(**layout)])).row(0)


def test_one_gpu_only_computes() -> None:
    """6 x 1e5 tokens x 130e6 parameters at 1e14 x 0.5."""
    estimate = one()
    assert estimate.time.total_s == estimate.time.matmul_s == pytest.approx(7.8e13 / 5e13)
    assert estimate.mfu == pytest.approx(UTILISATION)
    assert estimate.model_flop == estimate.hardware_flop == 7.8e13


def test_full_recomputation_is_the_eight_of_8tp() -> None:
    estimate = one(recompute=Recompute.FULL)
    expected = training_time_s(PARAMS, WORK.tokens, 1, 1e14, UTILISATION)
    assert estimate.step_time_s == pytest.approx(expected)
    assert estimate.hardware_flop / estimate.model_flop == pytest.approx(8 / 6)


def test_five_layers_of_ten_are_recomputed() -> None:
    half = one(recompute=Recompute.BLOCK, recompute_layers=5)
    assert half.hardware_flop / half.model_flop == pytest.approx(7 / 6)


def test_the_bubble() -> None:
    """Four stages and twenty micro-batches of five: 3/20 of the compute."""
    time = one(pp=4, micro_batch=5).time
    assert time.bubble_s == pytest.approx(0.15 * time.matmul_s)
    assert time.matmul_s == pytest.approx(1.56 / 4)


def test_model_state_is_sixteen_bytes_a_parameter() -> None:
    memory = one(tp=2, pp=5).memory
    state = memory.parameters_bytes + memory.gradients_bytes + memory.optimizer_bytes
    assert state == pytest.approx(16 * PARAMS / 10)


@pytest.mark.parametrize(("zero", "left"), [(0, 16), (1, 4 + 3), (2, 2 + 3.5), (3, 4)])
def test_zero_on_four_ranks(zero: int, left: float) -> None:
    memory = one(dp=4, zero=zero, shard=4).memory
    state = memory.parameters_bytes + memory.gradients_bytes + memory.optimizer_bytes
    assert state == pytest.approx(left * PARAMS)
    block = 12e6 * 2 if zero == 3 else 0
    assert memory.transient_bytes == block


def test_activations_by_hand() -> None:
    """2 x 1e6 x 10 + 14 x 1e6 numbers a layer and sequence, of two bytes, in ten layers."""
    assert one().memory.activations_bytes == pytest.approx(34e6 * 2 * 10)
    assert one(tp=2).memory.activations_bytes == pytest.approx(34e6 * 10)
    selective = one(recompute=Recompute.SELECTIVE)
    assert selective.memory.activations_bytes == pytest.approx(14e6 * 2 * 10)


def test_full_recomputation_keeps_entries_and_one_layer() -> None:
    memory = one(recompute=Recompute.FULL).memory
    assert memory.activations_bytes == pytest.approx(1e6 * 2 * 10)
    assert memory.transient_bytes == pytest.approx(34e6 * 2)


def test_micro_batches_in_flight() -> None:
    """GPipe keeps all 100 of them, 1F1B one for each of the two stages."""
    gpipe = one(pp=2, schedule=Schedule.GPIPE).memory.activations_bytes
    assert gpipe == pytest.approx(50 * one(pp=2).memory.activations_bytes)


def test_tensor_parallel_traffic() -> None:
    """Ten layers x four all-reduces of 2 MB in each of 100 micro-batches, at 1e11 bytes/s."""
    assert one(tp=2).time.tp_comm_s == pytest.approx(100 * 10 * 4 * 2e6 / 1e11)


def test_tensor_parallelism_across_nodes_is_slower() -> None:
    """Sixteen ranks in two nodes: eight adapters of 1e10 instead of 1e11."""
    inside, outside = one(tp=8).time.tp_comm_s, one(tp=16).time.tp_comm_s
    assert outside / inside == pytest.approx((15 / 16) / (7 / 8) * 1e11 / 8e10)


def test_data_parallel_traffic() -> None:
    """2 Psi of 260 MB; eight pipelines of eight stages talk through one adapter each."""
    assert one(dp=2).time.dp_comm_s == pytest.approx(260e6 / 1e11)
    assert one(dp=2, zero=3, shard=2).time.dp_comm_s == pytest.approx(1.5 * 260e6 / 1e11)
    assert one(tp=8, dp=2).time.dp_comm_s == pytest.approx(260e6 / 8 / 1e10)


def test_sparse_synchronisation_is_modelled() -> None:
    lazy = replace(WORK, sync=GradientSync(every=10))
    assert one(lazy, dp=2).time.dp_comm_s == pytest.approx(one(dp=2).time.dp_comm_s / 10)


def test_pipeline_traffic() -> None:
    """2 MB there and 2 MB back in each of 100 micro-batches."""
    assert one(pp=2).time.pp_comm_s == pytest.approx(100 * 2 * 2e6 / 1e11)
    assert one(pp=2, dp=8).time.pp_comm_s == pytest.approx(12.5 * 2 * 2e6 / 1e10)


def test_context_parallel_traffic() -> None:
    """Six tensors of 2 MB, half of each, ten layers, 100 micro-batches."""
    assert one(cp=2).time.cp_comm_s == pytest.approx(100 * 10 * 6 * 1e6 / 1e11)


def test_a_table_is_its_rows() -> None:
    rows = [Layout(), Layout(tp=2, pp=5), Layout(dp=4, zero=3, shard=4, recompute=Recompute.FULL)]
    table = textbook_table(MODEL, WORK, CLUSTER, LayoutTable.of(rows))
    singles = [textbook_table(MODEL, WORK, CLUSTER, LayoutTable.of([row])).row(0) for row in rows]
    assert [table.row(i) for i in range(3)] == singles


def test_every_term_has_a_column() -> None:
    table = textbook_table(MODEL, WORK, CLUSTER, LayoutTable.of([Layout(), Layout(tp=2)]))
    for given, names in (
        (table.time, EstimateTable.TIME),
        (table.link, EstimateTable.LINK),
        (table.memory, EstimateTable.MEMORY),
    ):
        assert tuple(given) == names
        assert all(column.shape == (2,) and np.isfinite(column).all() for column in given.values())


def test_experts_are_refused_with_the_way_out() -> None:
    model = replace(MODEL, name="mixed", experts=Experts(count=8, top_k=2, ffn=4000))
    with pytest.raises(InputError, match=r"mixed has experts.*use the analytical fidelity"):
        textbook_table(model, WORK, CLUSTER, LayoutTable.of([Layout()]))
