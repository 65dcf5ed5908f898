"""Read DeepSpeed's JSON, and the flags of Megatron-DeepSpeed."""

import json
from dataclasses import replace
from typing import Any

from plan3d.planner.imports.command_line import read_command
from plan3d.planner.imports.given import Given
from plan3d.planner.imports.imported import Asked, Imported
from plan3d.planner.imports.megatron import job_of
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Recompute, Schedule


def read(text: str, asked: Asked) -> Imported:
    """Return what a configuration, or a launch command of Megatron-DeepSpeed, says.

    A configuration that plan3d wrote holds the flags, too.
    """
    config = _config(text) if text.lstrip().startswith("{") else {}
    said = config.pop("plan3d", {})
    launch = said.get("launch") if isinstance(said, dict) else None
    command = " ".join(map(str, launch)) if isinstance(launch, list) else "" if config else text
    options, gpus = read_command(command)
    flags: dict[str, Any] = dict(options) | _flags(config)
    given = Given(values=flags)
    cp = given.whole("--ds-sequence-parallel-size") or 1
    zero = given.whole("--zero-stage", least=0) or 0
    chunked = given.on("--enable-zbh1-pipeline")
    full = given.on("--checkpoint-activations", "--deepspeed-activation-checkpointing")
    offload = given.number("offload_optimizer.ratio")
    given.ignore(("--deepspeed", "--deepspeed-config", "--no-pipeline-parallel", "--cpu-optimizer"))
    given.ignore(("gradient_accumulation_steps", "zero_optimization.overlap_comm"))
    given.ignore(("--moe-expert-parallel-size", "--enable-expert-tensor-parallelism", "--num-gpus"))
    overlapped = flags.get("zero_optimization.overlap_comm") is not False
    told = Given(
        values=flags
        | {
            "--context-parallel-size": cp,
            "--cp-comm-type": "a2a",
            "--expert-model-parallel-size": flags.get("--moe-expert-parallel-size"),
            "--overlap-grad-reduce": overlapped,
            "--expert-tensor-parallel-size": None
            if flags.get("--enable-expert-tensor-parallelism")
            else 1,
        },
        wanted=set(given.wanted),
    )
    found = job_of(told, Asked(gpus=asked.gpus or gpus, layers=asked.layers), framework="deepspeed")
    Given(values=flags, wanted=told.wanted).recognised("configuration or command of DeepSpeed")
    layout = found.layout
    steps = Given(values=config).whole("gradient_accumulation_steps")
    batch = found.global_batch
    if steps is not None and "--global-batch-size" not in flags:
        batch *= steps
    if steps is not None and batch != layout.micro_batch * steps * layout.dp:
        raise InputError(
            f"train_batch_size is {batch:,}, but micro-batch {layout.micro_batch} * "
            f"gradient_accumulation_steps {steps} * dp {layout.dp} is "
            f"{layout.micro_batch * steps * layout.dp:,}; leave one of them out"
        )
    shared = layout.dp * layout.cp
    zero = min(zero, 3) if shared > 1 else 0
    layout = replace(
        layout,
        zero=zero,
        shard=shared if zero else 1,
        schedule=Schedule.ZB_H1 if chunked else layout.schedule,
        recompute=Recompute.FULL if full else layout.recompute,
        cp_all_to_all=int(layout.cp > 1),
        offload=(1.0 if offload is None else offload)
        if flags.get("offload_optimizer.device") == "cpu" or flags.get("--cpu-optimizer")
        else 0.0,
    )
    return replace(found, layout=layout, global_batch=batch)


def _config(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"this is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError("DeepSpeed's configuration is an object")
    return values


def _flags(config: dict[str, Any]) -> dict[str, Any]:
    """Return what a configuration says, as flags where there is one."""
    values = dict(config)
    zero = values.pop("zero_optimization", {})
    zero = zero if isinstance(zero, dict) else {}
    offload = zero.pop("offload_optimizer", None) or {}
    flags: dict[str, Any] = {f"zero_optimization.{k}": v for k, v in zero.items()}
    flags |= {f"offload_optimizer.{k}": v for k, v in offload.items()} if offload else {}
    names = {
        "zero_optimization.stage": "--zero-stage",
        "train_micro_batch_size_per_gpu": "--micro-batch-size",
        "train_batch_size": "--global-batch-size",
        "sequence_parallel_size": "--ds-sequence-parallel-size",
    }
    flags |= values
    for kind in ("bf16", "fp16"):
        part = flags.pop(kind, None)
        if isinstance(part, dict) and part.get("enabled") is True:
            flags[f"--{kind}"] = True
    return {names.get(name, name): value for name, value in flags.items() if value != "auto"}
