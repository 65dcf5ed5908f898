"""What a cluster is, as numbers. Reading profiles from files is `plan3d.hardware_profiles`."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """Dense datasheet rates of one GPU; 0 where it has no such unit [FLOP/s]."""

    fp32: float
    tf32: float
    fp16: float
    bf16: float
    fp8: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GemmLaw:
    """Constants of the matrix-product law of `plan3d.simulator.kernels`."""

    efficiency: float
    """Burst efficiency *e* of large products. [1]"""
    droop: float
    """Slow-down of long kernels under the power limit; of fused attention between them, too. [1]"""
    overhead_s: float
    """Fixed cost of one kernel. [s]"""
    memory_efficiency: float
    """Reachable fraction of HBM bandwidth. [1]"""
    fp8_efficiency: float
    """Burst efficiency against the fp8 peak, quantisation included. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionLaw:
    """Constants of one fused attention kernel: `eff = e * s / (s + s0)`, by head width."""

    head_dims: tuple[float, ...]
    """Head widths of the entries below, increasing. [1]"""
    efficiency: tuple[float, ...]
    """Forward efficiency *e* at long sequences. [1]"""
    half_seq: tuple[float, ...]
    """Sequence at which half of it is reached, *s0* (causal). [tokens]"""
    backward: float
    """Backward efficiency over forward efficiency. [1]"""
    overhead_s: float
    """Fixed cost of one kernel. [s]"""
    occupancy: float
    """Loss *x0* when few (head, sequence) tiles fill the SMs. [1]"""
    kv_share: float = 0.0
    """Share of what short sequences cost that comes with the key and value heads: grouped-query
    attention saves on it. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One accelerator."""

    name: str
    peaks: Peaks
    memory_bytes: float
    """Memory that the driver shows. [bytes]"""
    hbm_bytes_per_s: float
    sms: int
    """Streaming multiprocessors. [1]"""
    gemm: GemmLaw
    attention: Mapping[str, AttentionLaw]
    """Fused attention kernels that run here, by name."""
    elementwise_efficiency: float
    """Fraction of HBM bandwidth that fused element-wise training kernels reach. [1]"""
    elementwise_overhead_s: float
    """Fixed cost of one such kernel. [s]"""
    host_bytes_per_s: float
    """Host link, one direction. [bytes/s]"""
    context_bytes: float
    """CUDA context, libraries and NCCL buffers of one process. [bytes]"""
    power_w: float
    """Board power limit. [W]"""
    usd_per_s: float
    """Rent of one GPU. [USD/s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFabric:
    """The fast network inside a node (or NVLink domain), as NCCL drives it.

    Law: `t = latency + step_latency * steps + ramp * sqrt(c) + c / (B * (1 - group_loss / n))`.
    An all-to-all goes straight to every rank: latencies of its own, and no loss in small groups.
    """

    latency_s: float
    step_latency_s: float
    ramp_s_per_sqrt_byte: float
    all_reduce_bytes_per_s: float
    all_gather_bytes_per_s: float
    reduce_scatter_bytes_per_s: float
    group_loss: float
    """How much a small group loses: *kappa*. [1]"""
    launch_s: float = 0.0
    """What a collective between matrix products takes beside the law: its launch, and waiting for
    the other stream. [s]"""
    all_to_all_latency_s: float
    all_to_all_step_s: float
    all_to_all_bytes_per_s: float
    p2p_latency_s: float
    p2p_bytes_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The network between nodes, as NCCL drives it."""

    name: str
    nic_bytes_per_s: float
    """Line rate of one GPU's share of the node's adapters, one direction. [bytes/s]"""
    efficiency: float
    """Fraction of it that large collectives reach. [1]"""
    tree_latency_s: float
    """All-reduce latency per doubling of the nodes. [s]"""
    ring_latency_s: float
    """All-gather and reduce-scatter latency per node. [s]"""
    p2p_latency_s: float
    p2p_efficiency: float
    """Fraction of the line rate that one send reaches. [1]"""
    launch_s: float = 0.0
    """What a collective between matrix products takes beside the law, per node. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Identical nodes of identical GPUs, with one network inside and one between nodes."""

    name: str
    gpu: Gpu
    gpus_per_node: int
    """GPUs of one NVLink domain: 8 for a DGX, 72 for an NVL72 rack. [1]"""
    node: NodeFabric
    network: Network
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each number comes from, by path."""
    digest: str = ""
    """Hash of the profile's files: two estimates with the same digest used the same numbers."""
