"""Options of DeepSpeed: its JSON configuration, and the flags of Megatron-DeepSpeed."""

import json
from collections.abc import Sequence
from typing import Any, Final

from plan3d.planner.exports import limits
from plan3d.planner.exports.arguments import Arguments, Value, words
from plan3d.planner.exports.planned import Exporter, Limit, Planned, one_line
from plan3d.planner.exports.shell import nodes, pairs
from plan3d.planner.result import Job
from plan3d.simulator.layout import Layout, Recompute, Schedule

PRECISION: Final = {
    "bf16": "bf16", "bf16-pure": "bf16", "fp16": "fp16", "fp8": "bf16",
    "fp8-rowwise": "bf16",
}  # fmt: skip


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


def _write(plan: Planned, about: Sequence[str]) -> str:
    flags = words(layout_arguments(plan.job, plan.layout)) + words(model_arguments(plan.job))
    each, count = nodes(plan.job)
    start = f"deepspeed --num_gpus {each} --num_nodes {count} pretrain_gpt.py"
    launch = [start, *pairs(flags), "--deepspeed_config FILE"]
    said = {"about": [one_line(line) for line in about], "launch": launch}
    return json.dumps({"plan3d": said, **config(plan.job, plan.layout)}, indent=2) + "\n"


DEEPSPEED: Final = Exporter(
    framework="deepspeed",
    form='JSON for --deepspeed_config; "plan3d" has the flags of Megatron-DeepSpeed',
    suffix=".json",
    checked="deepspeed 0.19.8; Megatron-DeepSpeed of 2026-08 (not installed: names read)",
    limits=(
        Limit(
            says="offload of a share with ZeRO-1 or 2: use offload=0 or 1, or zero=3",
            applies=lambda plan: 0 < plan.layout.offload < 1 and plan.layout.zero < 3,
            refused=True,
        ),
        Limit(
            says="etp that is neither 1 nor tp",
            applies=lambda plan: plan.layout.etp not in (1, plan.layout.tp),
            refused=True,
        ),
        Limit(
            says="experts of another width than the dense layers, shared experts, dense layers "
            "among those with experts",
            applies=lambda plan: (
                plan.job.model.experts is not None
                and (
                    plan.job.model.experts.ffn != plan.job.model.ffn
                    or plan.job.model.experts.shared_ffn > 0
                    or plan.job.model.dense_layers > 0
                )
            ),
        ),
        limits.optimizer("adam", "sgd"),
        limits.PURE,
        limits.UNUSUAL,
        limits.LATENT,
        limits.WINDOW,
        limits.ORDER,
        limits.STAGES,
        Limit(
            says="precision fp8: training is in bf16",
            applies=lambda plan: plan.job.work.precision.matmul == "fp8",
        ),
    ),
    write=_write,
)
