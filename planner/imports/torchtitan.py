"""Read the options of torchtitan: TOML, a Python configuration, or a launch command."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from plan3d.planner.exports.torchtitan import FLAVOURS, RESHARD, SCHEDULES
from plan3d.planner.imports.command_line import read_command
from plan3d.planner.imports.given import Given
from plan3d.planner.imports.imported import Asked, Imported, fitted, replicas
from plan3d.planner.imports.python_config import set_fields
from plan3d.planner.models import load
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, Recompute, Schedule

_SCHEDULES: Final = {name.lower(): schedule for schedule, name in SCHEDULES.items()}
_RECOMPUTE: Final = {"full": Recompute.FULL, "selective": Recompute.SELECTIVE, "none": 0}
_SINGLE: Final = (Schedule.GPIPE, Schedule.ONE_F_ONE_B)
_P: Final = "parallelism."
_T: Final = "training."


def read(text: str, asked: Asked) -> Imported:
    """Return what a TOML file, a Python configuration or a launch command says."""
    start = text.lstrip()
    if "--parallelism." in text or "--training." in text:
        return _command(text, asked)
    if start.startswith("[") or "\n[" in text:
        return _job(_toml(text), asked)
    return _job(_python(text), asked)


def _toml(text: str) -> dict[str, Any]:
    try:
        values = dict(_flat(tomllib.loads(text)))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"this is not TOML: {error}") from error
    return {name if "." in name else f"{name}.": value for name, value in values.items()}


def _flat(tables: Mapping[str, Any], inside: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested tables by their dotted names."""
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{inside}{name}.")
        else:
            yield inside + name, value


def _python(text: str) -> dict[str, Any]:
    """Return the fields by the section that they belong to, by their names."""
    found = dict(set_fields(text))
    values = {
        (_P if "parallel" in name or "fsdp" in name else _T) + name: value
        for name, value in found.items()
    }
    policy = "full" if "FullAC.Config()" in text else "none"
    policy = "selective" if "= SelectiveAC.Config()" in text else policy
    name = re.search(r"torchtitan\.models\.(\w+)", text, re.ASCII)
    flavour = re.search(r"model_registry\(\s*[\"']([\w.-]+)[\"']", text, re.ASCII)
    return values | {
        "activation_checkpoint.mode": policy,
        "model.name": name and name[1],
        "model.flavor": flavour and flavour[1],
    }


def _command(text: str, asked: Asked) -> Imported:
    options, gpus = read_command(text)
    values: dict[str, Any] = {}
    for name, value in options.items():
        section, _, key = name.removeprefix("--").rpartition(".")
        key = key.replace("-", "_")
        if value is True:
            values[f"{section}.{key.removeprefix('no_')}"] = not key.startswith("no_")
        else:
            values[f"{section}.{key}" if section else name] = value
    values = {name.replace("activation-", "activation_"): value for name, value in values.items()}
    return _job(values, Asked(gpus=asked.gpus or gpus, layers=asked.layers))


def _job(values: dict[str, Any], asked: Asked) -> Imported:
    """Return what options ``section.name`` say."""
    given = Given(values={k: v for k, v in values.items() if v != -1})
    tp = given.whole(f"{_P}tensor_parallel_degree") or 1
    pp = given.whole(f"{_P}pipeline_parallel_degree") or 1
    cp = given.whole(f"{_P}context_parallel_degree") or 1
    outer = given.whole(f"{_P}data_parallel_replicate_degree") or 1
    inner = given.whole(f"{_P}data_parallel_shard_degree")
    gpus = asked.gpus if inner is None else asked.gpus or tp * pp * cp * outer * inner
    dp = replicas(gpus, {"tp": tp, "pp": pp, "cp": cp}, "the configuration")
    if dp % outer or (inner is not None and dp != outer * inner):
        raise InputError(
            f"data_parallel_replicate_degree={outer} * data_parallel_shard_degree="
            f"{-1 if inner is None else inner} is not the {dp} replicas that {gpus:,} GPUs leave; "
            f"use data_parallel_shard_degree=-1"
        )
    shard = dp // outer * cp
    local = given.whole(f"{_T}local_batch_size") or 8
    micro_batch = local
    if pp > 1:
        micro_batch = given.whole(f"{_P}pipeline_parallel_microbatch_size") or 1
    global_batch = given.whole(f"{_T}global_batch_size") or local * dp
    fitted(global_batch, dp, micro_batch)
    schedule: Schedule = given.choice(
        f"{_P}pipeline_parallel_schedule", _SCHEDULES, Schedule.ONE_F_ONE_B
    )
    default = 3 if pp == 1 else 2
    reshard = {word: zero for zero, word in RESHARD.items()} | {"default": default}
    zero: int = given.choice(f"{_P}fsdp_reshard_after_forward", reshard, default)
    name, flavour = given.word("model.name") or "llama3", given.word("model.flavor")
    model = {wanted: known for known, wanted in reversed(list(FLAVOURS.items()))}.get(
        (name, flavour or "")
    )
    layers = asked.layers or (load(model).model.layers if model else None)
    sp_on = values.get(f"{_P}enable_sequence_parallel", True) not in (False, "False", "false")
    given.ignore([f"{_P}enable_sequence_parallel", "activation_checkpoint.selective_ac_option"])
    layout = Layout(
        tp=tp, pp=pp, dp=dp, cp=cp,
        ep=given.whole(f"{_P}expert_parallel_degree") or 1,
        etp=given.whole(f"{_P}expert_tensor_parallel_degree") or 1,
        vpp=_chunks(given, layers, pp, schedule),
        micro_batch=micro_batch,
        zero=zero if shard > 1 else 0,
        shard=shard,
        sp=int(sp_on and tp > 1),
        recompute=Recompute(given.choice("activation_checkpoint.mode", _RECOMPUTE, 0)),
        schedule=schedule if pp > 1 else Schedule.ONE_F_ONE_B,
        offload=float(given.on(f"{_T}enable_cpu_offload")),
    )  # fmt: skip
    optimizer = given.word("optimizer.name") or "AdamW"
    given.recognised("configuration of torchtitan")
    return Imported(
        framework="torchtitan",
        layout=layout,
        moe=model is not None and load(model).model.experts is not None,
        model=model,
        seq=given.whole(f"{_T}seq_len"),
        global_batch=global_batch,
        precision=_precision(given),
        optimizer="adam" if optimizer.startswith("Adam") else None,
        unused=given.unused,
        assumed=tuple(
            [f"model {name} {flavour} is not in plan3d's catalogue: give --model"]
            * (flavour is not None and model is None)
        ),
    )


def _chunks(given: Given, layers: int | None, pp: int, schedule: Schedule) -> int:
    """Return the model chunks of a stage: 2 where a schedule has several and nothing is said."""
    each = given.whole(f"{_P}pipeline_parallel_layers_per_stage")
    less = [
        given.whole(f"{_P}pipeline_parallel_{end}_stage_less_layers", least=0)
        for end in ("first", "last")
    ]
    if pp == 1:
        return 1
    if each is None:
        return 1 if schedule in _SINGLE else 2
    if layers is None:
        raise InputError(
            f"pipeline_parallel_layers_per_stage={each} says how many chunks there are only with "
            f"the layers of the model; give --model"
        )
    stages = -(-(layers + sum(1 if n is None else n for n in less)) // each)
    if stages % pp:
        raise InputError(
            f"{layers} layers in stages of {each} are {stages} stages, which {pp} ranks do not "
            f"divide; use another pipeline_parallel_layers_per_stage"
        )
    return stages // pp


def _precision(given: Given) -> str:
    """Return the name of the precision recipe."""
    kept = given.word(f"{_T}dtype") or "float32"
    used = given.word(f"{_T}mixed_precision_param") or "bfloat16"
    if "float8" in (given.word("model.converters") or ""):
        sections = ("quantize.linear.float8", "float8")  # the latter until 2025
        recipes = [given.word(f"{section}.recipe_name") for section in sections]
        return "fp8-rowwise" if "rowwise" in recipes else "fp8"
    return "bf16-pure" if kept == "bfloat16" else "bf16" if used == "bfloat16" else "fp32"
