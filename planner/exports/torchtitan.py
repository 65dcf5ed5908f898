"""Options of torchtitan, by section: ``parallelism``, ``training``, ``activation_checkpoint``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from plan3d.planner.exports import limits
from plan3d.planner.exports.arguments import Arguments, Value
from plan3d.planner.exports.planned import Exporter, Limit, Planned, comment
from plan3d.planner.result import Job
from plan3d.simulator.layout import Layout, Recompute, Schedule
from plan3d.simulator.pipeline import counts_ends

SCHEDULES: Final[Mapping[Schedule, str]] = {
    Schedule.GPIPE: "GPipe",
    Schedule.ONE_F_ONE_B: "1F1B",
    Schedule.INTERLEAVED: "Interleaved1F1B",
    Schedule.LOOPED_BFS: "LoopedBFS",
    Schedule.ZB_H1: "InterleavedZeroBubble",
    Schedule.ZB_V: "ZBVZeroBubble",
    Schedule.DUALPIPE_V: "DualPipeV",
}
"""Values of ``parallelism.pipeline_parallel_schedule``: classes of torch.distributed.pipelining."""

RESHARD: Final = {2: "never", 3: "always"}
"""Values of ``parallelism.fsdp_reshard_after_forward``, by ZeRO stage."""

FLAVOURS: Final[Mapping[str, tuple[str, str]]] = {
    **{f"llama-{g}-{n}b": ("llama3", f"{n}B") for g in ("3", "3.1") for n in (8, 70)},
    "llama-3.1-405b": ("llama3", "405B"),
    **{f"qwen3-{n}b": ("qwen3", f"{n}B") for n in ("0.6", "1.7", "4", "8", "14", "32")},
    "qwen3-30b-a3b": ("qwen3", "30B-A3B"),
    "qwen3-235b-a22b": ("qwen3", "235B-A22B"),
}
"""Models of plan3d's catalogue -> ``model.name`` and ``model.flavor``."""

DTYPES: Final[Mapping[str, Arguments]] = {
    "bf16": {"dtype": "float32", "mixed_precision_param": "bfloat16"},
    "fp8": {"dtype": "float32", "mixed_precision_param": "bfloat16"},
    "fp8-rowwise": {"dtype": "float32", "mixed_precision_param": "bfloat16"},
    "bf16-pure": {"dtype": "bfloat16", "mixed_precision_param": "bfloat16"},
    "tf32": {"dtype": "float32", "mixed_precision_param": "float32"},
    "fp32": {"dtype": "float32", "mixed_precision_param": "float32"},
}
"""Fields of ``training``, by precision."""

Sections = Mapping[str, Arguments]
"""Section -> option -> value."""


def sections(job: Job, layout: Layout) -> Sections:
    """Return the options that a layout, the batch and the sequence ask for."""
    micro_batches = job.work.global_batch // (layout.dp * layout.micro_batch)
    piped = layout.pp > 1
    return {
        "training": {
            # with a pipeline a step is one local batch; without, micro-batches are accumulated
            "local_batch_size": layout.micro_batch * (micro_batches if piped else 1),
            "global_batch_size": job.work.global_batch,
            "seq_len": job.work.seq,
            **DTYPES.get(job.work.precision.name, {}),
            **({"enable_cpu_offload": True} if layout.offload else {}),
        },
        "parallelism": {
            **_sharding(layout),
            "tensor_parallel_degree": layout.tp,
            "context_parallel_degree": layout.cp,
            "expert_parallel_degree": layout.ep,
            **(_pipeline(job.model.layers, layout) if piped else {}),
        },
        "activation_checkpoint": {"mode": Recompute(layout.recompute).name.lower()},
    }


def flat(found: Sections) -> Arguments:
    """Return options by ``section.name``."""
    return {f"{section}.{k}": v for section, given in found.items() for k, v in given.items()}


def _sharding(layout: Layout) -> Arguments:
    """Return how the replicas share states: FSDP shards over ``shard`` and context ranks."""
    shard = max(1, layout.shard // layout.cp)
    given: dict[str, Value] = {
        "data_parallel_replicate_degree": layout.dp // shard,
        "data_parallel_shard_degree": shard,
    }
    if layout.zero in RESHARD:
        given["fsdp_reshard_after_forward"] = RESHARD[layout.zero]
    return given


def _pipeline(layers: int, layout: Layout) -> Arguments:
    """Return how the layers are cut and when they run."""
    less = int(counts_ends(layers, layout.pp, layout.vpp))
    given: dict[str, Value] = {
        "pipeline_parallel_degree": layout.pp,
        "pipeline_parallel_schedule": SCHEDULES[layout.schedule],
        "pipeline_parallel_microbatch_size": layout.micro_batch,
        "pipeline_parallel_first_stage_less_layers": less,
        "pipeline_parallel_last_stage_less_layers": less,
    }
    if layout.vpp > 1:
        given["pipeline_parallel_layers_per_stage"] = -(
            -(layers + 2 * less) // (layout.pp * layout.vpp)
        )
    return given


def _toml(plan: Planned, about: Sequence[str]) -> str:
    name, flavour = FLAVOURS.get(plan.job.model.name, ("", ""))
    selective = plan.layout.recompute == Recompute.SELECTIVE
    fp8 = plan.job.work.precision.matmul == "fp8"
    found: dict[str, dict[str, Any]] = {
        "model": {
            **({"name": name, "flavor": flavour} if name else {}),
            **({"converters": ["quantize.linear.float8"]} if fp8 else {}),
        },
        **{section: dict(given) for section, given in sections(plan.job, plan.layout).items()},
    }
    found["activation_checkpoint"] |= {"selective_ac_option": "op"} if selective else {}
    found["parallelism"]["expert_tensor_parallel_degree"] = plan.layout.etp
    if plan.job.work.precision.scaled_by_row:
        found["quantize.linear.float8"] = {"recipe_name": "rowwise"}
    if plan.job.work.optimizer.name == "adam":
        found["optimizer"] = {"name": "AdamW"}
    tables = [
        f"[{section}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in given.items())
        for section, given in found.items()
        if given
    ]
    return comment(about) + "\n".join(tables)


def _python(plan: Planned, about: Sequence[str]) -> str:
    name, flavour = FLAVOURS.get(plan.job.model.name, ("", ""))
    found = sections(plan.job, plan.layout)
    policy = {Recompute.SELECTIVE: "SelectiveAC.Config()", Recompute.FULL: "FullAC.Config()"}.get(
        plan.layout.recompute, "None"
    )
    parallel = dict(found["parallelism"]) | {"enable_sequence_parallel": bool(plan.layout.sp)}
    lines = [
        "from torchtitan.config import ParallelismConfig, TrainingConfig",
        "from torchtitan.distributed.activation_checkpoint import FullAC, SelectiveAC",
        *[f"from torchtitan.models.{name} import model_registry"] * bool(name),
        "",
        "",
        "def configure(config):",
        *[f"    config.model_spec = model_registry({flavour!r})"] * bool(name),
        *_call("training", "TrainingConfig", found["training"]),
        *_call("parallelism", "ParallelismConfig", parallel),
        f"    config.activation_checkpoint = {policy}",
        "    return config",
    ]
    return comment(about) + "\n".join(lines) + "\n"


def _call(field: str, kind: str, given: Arguments) -> list[str]:
    """Return the lines that set a field to a configuration."""
    inner = [f"        {name}={value!r}," for name, value in given.items()]
    return [f"    config.{field} = {kind}(", *inner, "    )"]


_LIMITS: Final = (
    Limit(
        says="offload of a share: use offload=0 or 1",
        applies=lambda plan: 0 < plan.layout.offload < 1,
        refused=True,
    ),
    Limit(
        says="offload=1 of optimizer states alone: parameters and gradients go with them",
        applies=lambda plan: plan.layout.offload == 1,
    ),
    Limit(
        says="recompute=selective as the attention core alone: the policy by operation saves "
        "every second matrix product and attention",
        applies=lambda plan: plan.layout.recompute == Recompute.SELECTIVE,
    ),
    Limit(
        says="the shape of a model that is no flavour: register one, and name it in the file",
        applies=lambda plan: plan.job.model.name not in FLAVOURS,
    ),
    limits.precision(*DTYPES),
    limits.optimizer("adam"),
    limits.TP_OVERLAP,
    limits.DP_OVERLAP,
    limits.PP_OVERLAP,
    limits.ORDER,
    limits.STAGES,
)

TOML: Final = Exporter(
    framework="torchtitan",
    form="TOML for --job.config_file",
    suffix=".toml",
    checked="torchtitan 0.2.2, the last with TOML",
    limits=(
        *_LIMITS,
        Limit(
            says="sp=0: tensor parallelism comes with sequence parallelism",
            applies=lambda plan: plan.layout.tp > 1 and not plan.layout.sp,
            then=lambda plan: replace(plan.layout, sp=1),
        ),
    ),
    write=_toml,
)
PYTHON: Final = Exporter(
    framework="torchtitan",
    form="Python: configure(config) sets the fields of a Trainer.Config",
    suffix=".py",
    checked="torchtitan 0.3.0",
    limits=(
        *_LIMITS,
        Limit(
            says="precision fp8: add Float8LinearConverter to the model yourself",
            applies=lambda plan: plan.job.work.precision.matmul == "fp8",
        ),
    ),
    write=_python,
)
