"""Options of nanotron: the sections of its YAML that a plan decides."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from plan3d.planner.exports import limits
from plan3d.planner.exports.planned import Exporter, Limit, Planned, comment
from plan3d.planner.result import Job
from plan3d.simulator.layout import Layout, Recompute, Schedule

ENGINES: Final[Mapping[Schedule, str]] = {Schedule.ONE_F_ONE_B: "1f1b", Schedule.GPIPE: "afab"}
"""Values of ``parallelism.pp_engine``."""
DTYPES: Final = {"bf16": "bfloat16", "bf16-pure": "bfloat16", "fp16": "float16"} | dict.fromkeys(
    ("tf32", "fp32"), "float32"
)
"""Values of ``model.dtype``, by precision."""


def config(job: Job, layout: Layout) -> dict[str, Any]:
    """Return the sections that a layout, the batch and the model decide."""
    model, work = job.model, job.work
    parallelism: dict[str, Any] = {
        "dp": layout.dp,
        "pp": layout.pp,
        "tp": layout.tp,
        "pp_engine": ENGINES[layout.schedule],
        "tp_mode": "REDUCE_SCATTER" if layout.sp else "ALL_REDUCE",
        "tp_linear_async_communication": bool(layout.tp > 1 and layout.tp_overlap),
        "expert_parallel_size": layout.ep,
    }
    if layout.recompute == Recompute.FULL:
        parallelism["recompute_layer"] = True
    return {
        "parallelism": parallelism,
        "tokens": {
            "sequence_length": work.seq,
            "micro_batch_size": layout.micro_batch,
            "batch_accumulation_per_replica": work.global_batch // (layout.dp * layout.micro_batch),
        },
        "optimizer": {
            "zero_stage": layout.zero,
            "accumulate_grad_in_fp32": work.precision.name != "bf16-pure",
        },
        "model": {
            "dtype": DTYPES.get(work.precision.name, "bfloat16"),
            "make_vocab_size_divisible_by": 1,
            "model_config": {
                "hidden_size": model.hidden,
                "intermediate_size": model.ffn,
                "max_position_embeddings": max(work.seq, model.max_positions),
                "num_attention_heads": model.heads,
                "num_hidden_layers": model.layers,
                "num_key_value_heads": model.kv_heads,
                "tie_word_embeddings": model.tied,
                "vocab_size": model.vocab,
            },
        },
    }


def _write(plan: Planned, about: Sequence[str]) -> str:
    return comment(about) + "".join(_yaml(config(plan.job, plan.layout), ""))


def _yaml(values: Mapping[str, Any], indent: str) -> list[str]:
    """Return mappings as YAML, block style; JSON scalars are YAML scalars."""
    lines: list[str] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}:\n", *_yaml(value, f"{indent}  ")]
        else:
            lines.append(f"{indent}{name}: {json.dumps(value)}\n")
    return lines


def _foreign(plan: Planned) -> bool:
    model = plan.job.model
    return (
        not model.gated
        or model.norm != "rmsnorm"
        or model.positions != "rotary"
        or model.mlp_bias
        or model.qkv_bias
        or model.qk_norm
        or model.head_dim * model.heads != model.hidden
    )


NANOTRON: Final = Exporter(
    framework="nanotron",
    form="YAML: the sections parallelism, tokens, optimizer and model, to merge into a run's",
    suffix=".yaml",
    checked="nanotron 0.4; recompute_layer: its repository at 19f88fb",
    limits=(
        limits.NO_OFFLOAD,
        limits.precision(*DTYPES),
        limits.optimizer("adam"),
        Limit(
            says="blocks other than LLaMA's: model_config has the nearest LLaMA's sizes",
            applies=_foreign,
        ),
        limits.MOE,
        limits.LATENT,
        limits.WINDOW,
        limits.DP_OVERLAP,
        limits.PP_OVERLAP,
        limits.ORDER,
        limits.STAGES,
    ),
    write=_write,
)
