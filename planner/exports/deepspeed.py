"""Options of DeepSpeed: its JSON configuration, and the flags of Megatron-DeepSpeed."""

from typing import Any, Final

from plan3d.planner.exports.arguments import Arguments, Value
from plan3d.planner.result import Job
from plan3d.simulator.layout import Layout, Recompute, Schedule

PRECISION: Final = {"bf16": "bf16", "bf16-pure": "bf16", "fp16": "fp16", "fp8": "bf16"}


def layout_arguments(job: Job, layout: Layout) -> Arguments:
    """Return the flags of Megatron-DeepSpeed that a layout and the batch ask for."""
    given: dict[str, Value] = {
        "tensor-model-parallel-size": layout.tp,
        "pipeline-model-parallel-size": layout.pp,
        "no-pipeline-parallel": layout.pp == 1,
        "sequence-parallel": bool(layout.sp),
        "micro-batch-size": layout.micro_batch,
        "global-batch-size": job.work.global_batch,
        "deepspeed": True,
        "zero-stage": layout.zero,
        "enable-zbh1-pipeline": layout.schedule == Schedule.ZB_H1,
        "checkpoint-activations": layout.recompute == Recompute.FULL,
        "deepspeed-activation-checkpointing": layout.recompute == Recompute.FULL,
        "cpu-optimizer": layout.offload > 0,
    }
    if layout.cp > 1:
        given["ds-sequence-parallel-size"] = layout.cp
    if job.model.experts is not None:
        given["moe-expert-parallel-size"] = layout.ep
        given["enable-expert-tensor-parallelism"] = layout.etp > 1
    kind = PRECISION.get(job.work.precision.name)
    return given | ({kind: True} if kind else {})


def model_arguments(job: Job) -> Arguments:
    """Return the flags for the shape of the model, and its sequence."""
    model, work = job.model, job.work
    given: dict[str, Value] = {
        "num-layers": model.layers,
        "hidden-size": model.hidden,
        "ffn-hidden-size": model.ffn,
        "num-attention-heads": model.heads,
        "num-key-value-heads": model.kv_heads,
        "seq-length": work.seq,
        "max-position-embeddings": max(work.seq, model.max_positions),
        "swiglu": model.gated,
        "normalization": "rmsnorm" if model.norm == "rmsnorm" else "layernorm",
        "use-rotary-position-embeddings": model.positions == "rotary",
        "untie-embeddings-and-output-weights": not model.tied,
        "disable-bias-linear": not (model.mlp_bias or model.out_bias),
    }
    if model.experts is not None:
        given |= {"num-experts": model.experts.count, "topk": model.experts.top_k}
    if not work.dropout:
        given |= {"attention-dropout": 0.0, "hidden-dropout": 0.0}
    return given


def config(job: Job, layout: Layout) -> dict[str, Any]:
    """Return the JSON configuration."""
    zero: dict[str, Any] = {"stage": layout.zero, "overlap_comm": bool(layout.dp_overlap)}
    if layout.offload:
        zero["offload_optimizer"] = {"device": "cpu", "ratio": layout.offload}
    kind = PRECISION.get(job.work.precision.name)
    return {
        "train_batch_size": job.work.global_batch,
        "train_micro_batch_size_per_gpu": layout.micro_batch,
        "gradient_accumulation_steps": job.work.global_batch // (layout.dp * layout.micro_batch),
        "zero_optimization": zero,
        **({kind: {"enabled": True}} if kind else {}),
        **({"sequence_parallel_size": layout.cp} if layout.cp > 1 else {}),
    }
