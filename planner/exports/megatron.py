"""Options of Megatron-LM: ``pretrain_gpt.py``, megatron/training/arguments.py.

The same names, with underscores, are the fields of Megatron-Core's configurations, which NeMo and
Megatron-Bridge set.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from plan3d.planner.exports import limits
from plan3d.planner.exports.arguments import Arguments, Value, words
from plan3d.planner.exports.planned import Exporter, Limit, Planned
from plan3d.planner.exports.shell import script
from plan3d.planner.partition.settings import even_sizes
from plan3d.planner.result import Job
from plan3d.simulator.errors import unknown
from plan3d.simulator.layout import Layout, Order, Recompute
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.pipeline import counts_ends, stage_layers

SHARDING: Final = {2: "optim_grads", 3: "optim_grads_params"}
"""Values of ``--data-parallel-sharding-strategy``, by ZeRO stage."""

PRECISION: Final[dict[str, Arguments]] = {
    "bf16": {"bf16": True},
    "bf16-pure": {"bf16": True},
    "fp16": {"fp16": True},
    "fp8": {"bf16": True, "fp8-format": "hybrid"},
    "tf32": {},
    "fp32": {},
}
OPTIMIZERS: Final = ("adam", "sgd", "muon")
"""Values of ``--optimizer`` that plan3d has a name for."""


def layout_arguments(job: Job, layout: Layout, stages: tuple[int, ...] = ()) -> Arguments:
    """Return the options that a layout and the batch ask for.

    Parameters
    ----------
    job
        The question.
    layout
        One that `plan3d.planner.frameworks.lacking` finds nothing missing for.
    stages
        Layers of each pipeline stage; split evenly if left out. [1]
    """
    given: dict[str, Value] = {
        "tensor-model-parallel-size": layout.tp,
        "pipeline-model-parallel-size": layout.pp,
        "context-parallel-size": layout.cp,
        "sequence-parallel": bool(layout.sp),
        "micro-batch-size": layout.micro_batch,
        "global-batch-size": job.work.global_batch,
        "use-tp-pp-dp-mapping": layout.order == Order.TP_CP_EP_PP_DP,
    }
    if layout.cp > 1:
        given["cp-comm-type"] = "a2a" if layout.cp_all_to_all else "p2p"
    if job.model.experts is not None:
        given["expert-model-parallel-size"] = layout.ep
        given["expert-tensor-parallel-size"] = layout.etp  # TP if left out
        given["moe-token-dispatcher-type"] = "alltoall"
    return {
        **given,
        **stage_arguments(job.model.layers, layout, stages),
        **recompute_arguments(layout),
        **_replicas(layout),
        **_precision(job.work.precision.name),
    }


def _precision(name: str) -> Arguments:
    if name not in PRECISION:
        raise unknown("precision of Megatron-LM", name, PRECISION)
    return PRECISION[name]


def stage_arguments(layers: int, layout: Layout, stages: tuple[int, ...] = ()) -> Arguments:
    """Return how the layers are told to be split: nothing where they divide evenly."""
    pp, vpp = layout.pp, layout.vpp
    stages = stages if vpp == 1 else ()  # chunks are even, or with the ends counted
    given: dict[str, Value] = {}
    if vpp > 1:
        given["num-virtual-stages-per-pipeline-rank"] = vpp
    if pp > 1 and not layout.pp_overlap:
        given["no-overlap-p2p-communication"] = True
    if not stages and counts_ends(layers, pp, vpp):
        return {
            **given,
            "account-for-embedding-in-pipeline-split": True,
            "account-for-loss-in-pipeline-split": True,
        }
    sizes = stages or even_sizes(layers, pp * vpp)
    if len(set(sizes)) == 1:
        return given
    if pp > 1 and len(set(sizes[1:-1])) <= 1:
        first, last = sizes[0], sizes[-1]
        return {
            **given,
            "decoder-first-pipeline-num-layers": first,
            "decoder-last-pipeline-num-layers": last,
        }
    text = "|".join(f"t*{size}" for size in sizes)
    return {**given, "pipeline-model-parallel-layout": f"E{text}L"}


def recompute_arguments(layout: Layout) -> Arguments:
    """Return what is recomputed; the layers of `block` are counted in each model chunk."""
    if layout.recompute == Recompute.NONE:
        return {}
    if layout.recompute == Recompute.SELECTIVE:
        return {"recompute-granularity": "selective"}
    block = layout.recompute == Recompute.BLOCK
    return {
        "recompute-granularity": "full",
        "recompute-method": "block" if block else "uniform",
        "recompute-num-layers": -(-layout.recompute_layers // layout.vpp) if block else 1,
    }


def _replicas(layout: Layout) -> Arguments:
    """Return how the replicas share their states, and what of their exchange overlaps."""
    replicas = layout.dp * layout.cp
    given: dict[str, Value] = {}
    if layout.zero:
        given["use-distributed-optimizer"] = True
    if layout.zero and layout.shard < replicas:
        given["num-distributed-optimizer-instances"] = replicas // layout.shard
    if layout.zero >= 2:
        given |= {
            "use-megatron-fsdp": True,
            "data-parallel-sharding-strategy": SHARDING[layout.zero],
            "no-gradient-accumulation-fusion": True,
            "ckpt-format": "fsdp_dtensor",
        }
    if layout.offload:
        given |= {"optimizer-cpu-offload": True, "optimizer-offload-fraction": layout.offload}
    if replicas > 1 and layout.dp_overlap:
        given["overlap-grad-reduce"] = True
        given["overlap-param-gather"] = layout.zero > 0
    return given


def model_arguments(job: Job) -> Arguments:
    """Return the options for the shape of the model, its sequence and the optimizer."""
    model, work = job.model, job.work
    dropout: Arguments = {} if work.dropout else {"attention-dropout": 0.0, "hidden-dropout": 0.0}
    named = work.optimizer.name in OPTIMIZERS
    return {
        "num-layers": model.layers,
        "hidden-size": model.hidden,
        "ffn-hidden-size": model.ffn,
        "num-attention-heads": model.heads,
        "kv-channels": model.head_dim,
        "group-query-attention": model.kv_heads < model.heads,
        **({"num-query-groups": model.kv_heads} if model.kv_heads < model.heads else {}),
        "seq-length": work.seq,
        "max-position-embeddings": max(work.seq, model.max_positions),
        "vocab-size": model.vocab,
        "make-vocab-size-divisible-by": job.software.vocab_multiple,
        "swiglu": model.gated,
        "normalization": "RMSNorm" if model.norm == "rmsnorm" else "LayerNorm",
        "position-embedding-type": {"learned": "learned_absolute", "rotary": "rope"}.get(
            model.positions, "none"
        ),
        "untie-embeddings-and-output-weights": not model.tied,
        "disable-bias-linear": not (model.mlp_bias or model.out_bias),
        "add-qkv-bias": model.qkv_bias and not (model.mlp_bias or model.out_bias),
        "qk-layernorm": model.qk_norm,
        **({"window-size": f"{model.window},0"} if model.window else {}),
        **_experts(model),
        **_latent(model),
        **({"optimizer": work.optimizer.name} if named else {}),
        **dropout,
    }


def _experts(model: ModelSpec) -> Arguments:
    """Return the options of a mixture of experts."""
    experts = model.experts
    if experts is None:
        return {}
    kinds = [0] * experts.dense_first
    period = [0] * (experts.every - 1) + [1]
    kinds += [period[i % experts.every] for i in range(model.layers - experts.dense_first)]
    runs = [f"[{kind}]*{len(list(same))}" for kind, same in groupby(kinds)]
    given: dict[str, Value] = {
        "num-experts": experts.count,
        "moe-router-topk": experts.top_k,
        "moe-ffn-hidden-size": experts.ffn,
        "moe-grouped-gemm": True,
    }
    if experts.router_bias:  # refused with another score function
        given |= {"moe-router-enable-expert-bias": True, "moe-router-score-function": "sigmoid"}
    if experts.shared_ffn:
        given["moe-shared-expert-intermediate-size"] = experts.shared_ffn
        given["moe-shared-expert-gate"] = experts.shared_gate
    if len(runs) > 1:
        given["moe-layer-freq"] = f"({'+'.join(runs)})"
    return given


def _latent(model: ModelSpec) -> Arguments:
    """Return the options of multi-head latent attention."""
    latent = model.latent
    if latent is None:
        return {}
    ranks: Arguments = {"q-lora-rank": latent.q_rank} if latent.q_rank else {}
    return {
        "multi-latent-attention": True,
        **ranks,
        "kv-lora-rank": latent.kv_rank,
        "qk-head-dim": latent.nope_dim,
        "qk-pos-emb-head-dim": latent.rope_dim,
        "v-head-dim": latent.v_dim,
    }


def _rounded(plan: Planned) -> Layout:
    layout = plan.layout
    count = -(-layout.recompute_layers // layout.vpp) * layout.vpp
    if count >= stage_layers(plan.job.model.layers, layout.pp, layout.vpp):
        return replace(layout, recompute=Recompute.FULL, recompute_layers=0)
    return replace(layout, recompute_layers=count)


ROUNDED: Final = Limit(
    says="recompute=block counts layers in each of vpp chunks: rounded up to a multiple of vpp",
    applies=lambda plan: plan.layout.recompute_layers % plan.layout.vpp > 0,
    then=_rounded,
)


def _write(plan: Planned, about: Sequence[str]) -> str:
    job, layout = plan.job, plan.layout
    flags = words(layout_arguments(job, layout, plan.stages)) + words(model_arguments(job))
    # Megatron-LM's collectives overlap with one connection; those of FSDP, with several.
    one = layout.tp * layout.cp > 1 and layout.zero < 2
    return script(plan, about, "pretrain_gpt.py", flags, ["CUDA_DEVICE_MAX_CONNECTIONS=1"] * one)


MEGATRON: Final = Exporter(
    framework="megatron",
    form="shell script: torchrun pretrain_gpt.py with flags",
    suffix=".sh",
    checked="Megatron-LM of 2026-08-22, megatron-core 0.16.1",
    limits=(
        limits.TP_OVERLAP,
        ROUNDED,
        limits.optimizer(*OPTIMIZERS),
        limits.precision(*PRECISION),
        limits.PURE,
        limits.UNUSUAL,
    ),
    write=_write,
)
