"""What Calculon is asked about a published run: the mapping, and why a run has none.

Calculon is github.com/calculon-ai/calculon (Isaev et al., SC23, doi:10.1145/3581784.3607102): an
analytical model of training GPT blocks. Its inputs are an application, an execution and a system.
What they have no word for is mapped as stated here, or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.rows import Case
from plan3d.simulator.layout import Layout, Recompute, Schedule

SYSTEM: Final = "systems/a100_80g.json"
"""The shipped system: nodes of eight A100, 300 GB/s inside, 25 GB/s per GPU between them."""
GPU: Final = "a100-80g-sxm"
NODE: Final = 8
"""GPUs of its first network. [1]"""
INSIDE, BETWEEN = 0, 1
"""Its networks: in a node, and between nodes."""
RECOMPUTE: Final = {
    Recompute.NONE: "none",
    Recompute.SELECTIVE: "attn_only",
    Recompute.FULL: "full",
}
SCHEDULES: Final = (Schedule.ONE_F_ONE_B, Schedule.INTERLEAVED)
FIXED: Final[Mapping[str, object]] = {
    "datatype": "float16",
    "weight_offload": False,
    "activations_offload": False,
    "optimizer_offload": False,
    "training": True,
}
"""Inputs that are the same for all runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Choices that a run leaves open; the defaults are those of Calculon's own validation."""

    tensor_par_overlap: str = "none"
    """none, ring or pipe."""
    data_par_overlap: bool = False
    scatter_gather: bool = False
    """Pipeline transfers are cut by tp, and gathered (arXiv:2104.04473, section 4.1)."""
    fused_activation: bool = False
    flash_recomputes: bool = False
    """Fused attention is a core recomputed, not one that keeps its scores: see `for_memory`."""
    shipped_network: bool = False
    """Between nodes, the bandwidth of its file, not the line rate of the run's adapters."""

    @property
    def for_memory(self) -> "Settings":
        """The same for the memory: fused attention keeps no scores, as if it were recomputed.

        Its time is closer to that of a core that keeps them: it reads and writes none.
        """
        return replace(self, flash_recomputes=True)


def check(case: Case) -> None:
    """Refuse a run that Calculon, or its file of the A100, has no word for.

    Raises
    ------
    SkipError
        With the reason.
    """
    run, layout = case.run, case.layouts[0]
    dp = layout.dp * layout.cp
    reasons = {
        "another GPU": run.gpu != GPU,
        "experts": case.model.experts is not None,
        "context parallelism": layout.cp > 1,
        "ZeRO-3, or FSDP": layout.zero == 3 and dp > 1,
        "zero-bubble schedule": layout.schedule not in SCHEDULES,
        "recomputation of some layers": layout.recompute not in RECOMPUTE,
        "precision": case.work.precision.name not in ("fp16", "bf16"),
        "nodes of other than eight GPUs": run.gpus > case.cluster.gpus_per_node != NODE,
        "tensor parallelism over nodes": layout.tp > NODE,
    }
    if found := [reason for reason, so in reasons.items() if so]:
        raise SkipError(found[0])


def application(case: Case) -> dict[str, int]:
    """Return the model.

    A gated MLP of width f is a plain one of 3/2 f: as many weights and products. Grouped keys and
    values are as wide as the queries. Vocabulary, embedding, logits and loss there are none; norms
    are LayerNorms, dropout is there always, and attention is not causal.
    """
    model = case.model
    return {
        "hidden": model.hidden,
        "feedforward": 3 * model.ffn // 2 if model.gated else model.ffn,
        "seq_size": case.work.seq,
        "attn_heads": model.heads,
        "attn_size": model.head_dim,
        "num_blocks": model.layers,
    }


def execution(case: Case, layout: Layout, settings: Settings) -> dict[str, object]:
    """Return the layout.

    Sequence parallelism is reduce-scatters and all-gathers, the latter again in the backward pass
    unless all is recomputed; without it there are all-reduces. ZeRO-1 and ZeRO-2 are optimizer
    sharding. bf16 is float16, which is as fast; the file has no other.
    """
    recompute = RECOMPUTE[layout.recompute]
    fused = case.software.attention[0] != "unfused"
    if fused and recompute == "none" and settings.flash_recomputes:
        recompute = "attn_only"
    pipelined = layout.pp > 1
    whole = "p2p_rs_ag" if settings.scatter_gather and pipelined and layout.tp > 1 else "ar"
    networks = networks_of(layout, case.run.gpus)
    return {
        "num_procs": layout.tp * layout.pp * layout.dp,
        "tensor_par": layout.tp,
        "pipeline_par": layout.pp,
        "data_par": layout.dp,
        "tensor_par_net": networks[0],
        "pipeline_par_net": networks[1],
        "data_par_net": networks[2],
        "batch_size": case.work.global_batch,
        "microbatch_size": layout.micro_batch,
        "fused_activation": settings.fused_activation,
        "attention_type": "multiquery" if case.model.kv_heads == 1 else "multihead",
        "activation_recompute": recompute,
        "pipeline_interleaving": layout.vpp,
        "optimizer_sharding": layout.zero in (1, 2) and layout.dp > 1,
        "tensor_par_comm_type": "rs_ag" if layout.sp and layout.tp > 1 else whole,
        "tensor_par_overlap": settings.tensor_par_overlap if layout.tp > 1 else "none",
        "seq_par_ag_redo": bool(layout.sp and layout.tp > 1 and recompute != "full"),
        "data_par_overlap": settings.data_par_overlap and layout.dp > 1,
        **FIXED,
    }


def bandwidth_gb_s(case: Case, settings: Settings) -> float | None:
    """Return the bandwidth between nodes per GPU, if it is not that of the file [1e9 bytes/s]."""
    return None if settings.shipped_network else case.cluster.network.nic_bytes_per_s / 1e9


def networks_of(layout: Layout, gpus: int) -> tuple[int, int, int]:
    """Return the networks of tp, pp and dp.

    A dimension is inside the nodes if all of its group is: tp first, then dp, then pp, which is
    how Megatron-LM and DeepSpeed number their ranks. In one node all are.
    """
    if gpus <= NODE:
        return INSIDE, INSIDE, INSIDE
    dp = INSIDE if layout.tp * layout.dp <= NODE else BETWEEN
    return INSIDE, BETWEEN, dp
