"""Small jobs for the planner's tests: 8-GPU nodes with round figures."""

from plan3d.planner.result import Job
from plan3d.simulator.hardware import (
    AttentionLaw,
    Cluster,
    GemmLaw,
    Gpu,
    Network,
    NodeFabric,
    Peaks,
)
from plan3d.simulator.layout import FIELDS, LayoutTable
from plan3d.simulator.model import Experts, ModelSpec
from plan3d.simulator.software import Software
from plan3d.simulator.workload import Workload

GIB = 2.0**30


def cluster(gpus_per_node: int = 8, memory_gib: float = 80, usd_per_s: float = 0.001) -> Cluster:
    law = AttentionLaw(
        head_dims=(64.0, 128.0), efficiency=(0.5, 0.5), half_seq=(500.0, 500.0), backward=0.8,
        overhead_s=5e-6, occupancy=0,
    )  # fmt: skip
    gpu = Gpu(
        name="some-gpu", peaks=Peaks(fp32=2e13, tf32=1e14, fp16=3e14, bf16=3e14, fp8=0),
        memory_bytes=memory_gib * GIB, hbm_bytes_per_s=2e12, sms=100,
        gemm=GemmLaw(
            efficiency=0.8, droop=0, overhead_s=5e-6, memory_efficiency=0.8, fp8_efficiency=0.8
        ),
        attention={"flash2": law}, elementwise_efficiency=0.8, elementwise_overhead_s=5e-6,
        host_bytes_per_s=2e10, context_bytes=GIB, power_w=400, usd_per_s=usd_per_s,
    )  # fmt: skip
    node = NodeFabric(
        latency_s=1e-5, step_latency_s=1e-6, ramp_s_per_sqrt_byte=0, all_reduce_bytes_per_s=2e11,
        all_gather_bytes_per_s=2e11, reduce_scatter_bytes_per_s=2e11, group_loss=0,
        p2p_latency_s=1e-5, p2p_bytes_per_s=2e11,
        all_to_all_latency_s=1e-5, all_to_all_step_s=1e-6, all_to_all_bytes_per_s=2e11,
    )  # fmt: skip
    network = Network(
        name="some-network", nic_bytes_per_s=2.5e10, efficiency=0.8, tree_latency_s=1e-5,
        ring_latency_s=1e-6, p2p_latency_s=1e-5, p2p_efficiency=0.8,
    )  # fmt: skip
    return Cluster(
        name="some-cluster", gpu=gpu, gpus_per_node=gpus_per_node, node=node, network=network
    )


def software() -> Software:
    return Software(
        name="some-software", attention=("flash2",), elementwise_traffic=1, dispatch_s=0,
        gradient_bytes=4, reduce_bytes=4, tp_overlap=0, dp_overlap=0.5, zero3_overlap=0.5,
        pp_overlap=0, vocab_multiple=128, sp_default=True, scatter_gather=True,
        zero2_every_micro_batch=False, logits_bytes=8, memory_margin=0.05, bucket_bytes=0,
        step_overhead_s=0, contention=0,
    )  # fmt: skip


def model(
    layers: int = 8, heads: int = 8, kv_heads: int | None = None, ffn: int = 256,
    hidden: int = 64, experts: Experts | None = None,
) -> ModelSpec:  # fmt: skip
    return ModelSpec(
        layers=layers, hidden=hidden, heads=heads, kv_heads=kv_heads or heads,
        head_dim=max(1, hidden // heads), ffn=ffn, vocab=1000, experts=experts,
    )  # fmt: skip


def job(
    gpus: int, spec: ModelSpec | None = None, seq: int = 64, batch: int = 16,
    cluster: Cluster = cluster(),  # noqa: B008
) -> Job:  # fmt: skip
    work = Workload(seq=seq, global_batch=batch)
    return Job(model=spec or model(), work=work, cluster=cluster, software=software(), gpus=gpus)


def as_tuples(table: LayoutTable) -> list[tuple[float, ...]]:
    return list(zip(*(getattr(table, name).tolist() for name in FIELDS), strict=True))
