"""Example machines, software and models: round numbers, not those of any shipped profile."""

from dataclasses import replace

from plan3d.simulator.hardware import (
    AttentionLaw,
    Cluster,
    GemmLaw,
    Gpu,
    Network,
    NodeFabric,
    Peaks,
)
from plan3d.simulator.layout import Layout, LayoutTable, Order, Recompute, Schedule
from plan3d.simulator.model import Experts, LatentAttention, ModelSpec
from plan3d.simulator.software import Software
from plan3d.simulator.workload import Workload

IDEAL = Gpu(
    name="ideal",
    peaks=Peaks(fp32=1e12, tf32=8e12, fp16=16e12, bf16=16e12, fp8=32e12),
    memory_bytes=80e9,
    hbm_bytes_per_s=1e12,
    sms=100,
    gemm=GemmLaw(
        efficiency=1.0, droop=0.0, overhead_s=0.0, memory_efficiency=1.0, fp8_efficiency=1.0
    ),
    attention={},
    elementwise_efficiency=1.0,
    elementwise_overhead_s=0.0,
    host_bytes_per_s=1e10,
    context_bytes=0.0,
    power_w=400.0,
    usd_per_s=0.001,
)
"""No overheads, no losses: what is left is work over rates."""

A100 = Gpu(
    name="a100-like",
    peaks=Peaks(fp32=19.5e12, tf32=156e12, fp16=312e12, bf16=312e12, fp8=0.0),
    memory_bytes=80e9,
    hbm_bytes_per_s=2e12,
    sms=108,
    gemm=GemmLaw(
        efficiency=0.8, droop=0.05, overhead_s=5e-6, memory_efficiency=0.72, fp8_efficiency=0.5
    ),
    attention={
        "flash2": AttentionLaw(
            head_dims=(64.0, 128.0), efficiency=(0.6, 0.7), half_seq=(500.0, 480.0),
            backward=0.85, overhead_s=13e-6, occupancy=1.7,
        )
    },
    elementwise_efficiency=0.8,
    elementwise_overhead_s=2e-6,
    host_bytes_per_s=25e9,
    context_bytes=1.5e9,
    power_w=400.0,
    usd_per_s=0.0005,
)  # fmt: skip
H100 = replace(
    A100,
    name="h100-like",
    peaks=Peaks(fp32=67e12, tf32=495e12, fp16=990e12, bf16=990e12, fp8=1980e12),
    hbm_bytes_per_s=3.3e12,
    sms=132,
)

NO_LATENCY = NodeFabric(
    latency_s=0.0, step_latency_s=0.0, ramp_s_per_sqrt_byte=0.0,
    all_reduce_bytes_per_s=400.0, all_gather_bytes_per_s=200.0, reduce_scatter_bytes_per_s=100.0,
    group_loss=0.0, p2p_latency_s=0.0, p2p_bytes_per_s=50.0,
    all_to_all_latency_s=0.0, all_to_all_step_s=0.0, all_to_all_bytes_per_s=200.0,
)  # fmt: skip
SLOW_NETWORK = Network(
    name="slow", nic_bytes_per_s=20.0, efficiency=0.5, tree_latency_s=0.0, ring_latency_s=0.0,
    p2p_latency_s=0.0, p2p_efficiency=0.25,
)  # fmt: skip
WIRE = Cluster(name="wire", gpu=IDEAL, gpus_per_node=8, node=NO_LATENCY, network=SLOW_NETWORK)
"""Bytes per second that fit in the head, no latency: 10 bytes/s per adapter to the outside."""

NVSWITCH = NodeFabric(
    latency_s=8e-6, step_latency_s=0.9e-6, ramp_s_per_sqrt_byte=11e-9,
    all_reduce_bytes_per_s=270e9, all_gather_bytes_per_s=230e9, reduce_scatter_bytes_per_s=260e9,
    group_loss=0.5, p2p_latency_s=14e-6, p2p_bytes_per_s=300e9,
    all_to_all_latency_s=8e-6, all_to_all_step_s=0.9e-6, all_to_all_bytes_per_s=230e9,
)  # fmt: skip
HDR = Network(
    name="hdr", nic_bytes_per_s=25e9, efficiency=0.92, tree_latency_s=90e-6,
    ring_latency_s=38e-6, p2p_latency_s=20e-6, p2p_efficiency=0.85,
)  # fmt: skip
DGX = Cluster(name="dgx-like", gpu=A100, gpus_per_node=8, node=NVSWITCH, network=HDR)

PLAIN = Software(
    name="plain", attention=("unfused",), elementwise_traffic=1.0, dispatch_s=0.0,
    gradient_bytes=2.0, reduce_bytes=2.0, tp_overlap=0.0, dp_overlap=0.0, zero3_overlap=0.0,
    pp_overlap=0.0, vocab_multiple=1, sp_default=False, scatter_gather=False,
    zero2_every_micro_batch=False, logits_bytes=4.0, memory_margin=0.0, bucket_bytes=0.0,
    step_overhead_s=0.0, contention=0.0,
)  # fmt: skip
"""Overlaps nothing, wastes nothing."""

BUSY = Software(
    name="busy", attention=("flash2",), elementwise_traffic=1.3, dispatch_s=6e-4,
    gradient_bytes=4.0, reduce_bytes=4.0, tp_overlap=0.4, dp_overlap=0.7, zero3_overlap=0.6,
    pp_overlap=0.5, vocab_multiple=128, sp_default=True, scatter_gather=True,
    zero2_every_micro_batch=True, logits_bytes=8.0, memory_margin=0.03, bucket_bytes=2e8,
    step_overhead_s=0.03, contention=0.1, straggler=0.015, expert_imbalance=1.2,
    selective_matmul=0.1, selective_elementwise=0.3, fp32_norms=True, zero3_copy_bytes_per_s=9e10,
    keeps_gathered=True, sharded_loss=False, fused_activations=False,
    keeps_unrotated=True, columns_apart=True, selective_operands=0.1, selective_tp=0.5,
    stops_early=True, sequence_copies=1.0, cp_gathers=True, collective_s=1e-4, issue_s=1e-3,
    accumulate_bytes=10.0, whole_buffers=2.0, gathering_bytes=6.0, reduced_copy_bytes=2.0,
    zero1_afterwards=True, gather_piece_s=7e-6, reduce_piece_bytes=5e7, send_overhead_s=1e-3,
    routing_s=4e-4, expert_s=4e-5, expert_cast_s=1e-5, ring_step_s=9e-5,
    dtensor_s=1e-3, dtensor_sequence_s=5e-4, unit_copies=True,
)  # fmt: skip
"""Every term of the model is on."""

KEEPING = replace(
    BUSY, name="keeping", memory_cached=0.1, late_most=50.0, loss_apart=True,
    gradient_copy_bytes=6.0, frees_gradients=True, whole_master=True, whole_embedding=True,
    plain_stages=True, pads_experts=True, keeps_routing=True, fp32_norm_results=True,
    repeats_kv=True, logits_kept=0.1, pipelines_reduce_once=True, pipelines_reshard=True,
    zero1_afterwards=False, zero1_owners=True,
)  # fmt: skip
"""It and its allocator keep much, and gradients come and go."""

GPT = ModelSpec(layers=12, hidden=512, heads=8, kv_heads=8, head_dim=64, ffn=2048, vocab=1000)
LLAMA = ModelSpec(
    layers=16, hidden=1024, heads=16, kv_heads=4, head_dim=64, ffn=2816, vocab=32000,
    gated=True, norm="rmsnorm", positions="rotary", tied=False,
    qkv_bias=False, out_bias=False, mlp_bias=False,
)  # fmt: skip
MIXTURE = replace(LLAMA, experts=Experts(count=8, top_k=2, ffn=1408, shared_ffn=512, dense_first=2))
LATENT = replace(
    MIXTURE,
    kv_heads=16,
    latent=LatentAttention(q_rank=384, kv_rank=128, nope_dim=64, rope_dim=32, v_dim=64),
)
MODELS = {"gpt": GPT, "llama": LLAMA, "mixture": MIXTURE, "latent": LATENT}
WORK = Workload(seq=1024, global_batch=64)

ROWS = (
    Layout(),
    Layout(tp=8, sp=1, dp=4, micro_batch=2),
    Layout(tp=2, pp=4, dp=8, zero=1, shard=8, recompute=Recompute.FULL),
    Layout(pp=4, vpp=2, schedule=Schedule.INTERLEAVED, dp=2, recompute=Recompute.SELECTIVE),
    Layout(pp=2, schedule=Schedule.GPIPE, recompute=Recompute.BLOCK, recompute_layers=2),
    Layout(dp=16, cp=2, zero=3, shard=8, micro_batch=2),
    Layout(dp=32, zero=2, shard=32, offload=0.5, dp_overlap=0),
    Layout(tp=2, cp=4, cp_all_to_all=1, dp=2, pp=2, pp_overlap=0, order=Order.TP_CP_EP_PP_DP),
    Layout(tp=4, sp=1, tp_overlap=0, pp=7, dp=4),
)
"""One layout for each feature."""
EXPERT_ROWS = (
    Layout(tp=2, dp=8, ep=8, sp=1),
    Layout(tp=4, etp=2, dp=8, ep=4, zero=1, shard=8, pp=2),
    Layout(dp=16, ep=8, zero=3, shard=16),
)


def one(layout: Layout) -> LayoutTable:
    """A table of one row."""
    return LayoutTable.of([layout])
