"""Read nanotron's YAML."""

from collections.abc import Iterator, Mapping
from typing import Any

from plan3d.planner.exports.nanotron import ENGINES
from plan3d.planner.imports.given import Given
from plan3d.planner.imports.imported import Asked, Imported, fitted, model_text, replicas
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, Recompute, Schedule

_DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
_MODEL = "model.model_config."
DEEPEST = 20
"""Levels of nesting; a configuration has four. [1]"""


def read(text: str, asked: Asked) -> Imported:
    """Return what a configuration says."""
    given = Given(values=dict(_flat(_yaml(text), "")))
    ranks = {name: given.whole(f"parallelism.{name}") or 1 for name in ("tp", "pp")}
    ranks["cp"] = given.whole("parallelism.context_parallel_size") or 1
    dp = given.whole("parallelism.dp") or 1
    if asked.gpus is not None:
        found = replicas(asked.gpus, ranks, "the configuration")
        if found != dp:
            raise InputError(
                f"parallelism.dp is {dp}, but {asked.gpus:,} GPUs make dp={found}; leave --gpus out"
            )
    micro_batch = given.whole("tokens.micro_batch_size") or 1
    steps = given.whole("tokens.batch_accumulation_per_replica") or 1
    global_batch = micro_batch * steps * dp
    fitted(global_batch, dp, micro_batch)
    engines = {word: schedule for schedule, word in ENGINES.items()}
    zero = given.whole("optimizer.zero_stage", least=0) or 0
    shared = dp * ranks["cp"]
    scattered = (given.word("parallelism.tp_mode") or "").upper() == "REDUCE_SCATTER"
    schedule: Schedule = given.choice("parallelism.pp_engine", engines, Schedule.GPIPE)
    layout = Layout(
        tp=ranks["tp"],
        pp=ranks["pp"],
        cp=ranks["cp"],
        dp=dp,
        ep=given.whole("parallelism.expert_parallel_size") or 1,
        micro_batch=micro_batch,
        zero=min(zero, 3) if shared > 1 else 0,
        shard=shared if zero else 1,
        sp=int(scattered and ranks["tp"] > 1),
        recompute=Recompute.FULL if given.on("parallelism.recompute_layer") else Recompute.NONE,
        schedule=schedule if ranks["pp"] > 1 else Schedule.ONE_F_ONE_B,
        tp_overlap=int(given.on("parallelism.tp_linear_async_communication") or ranks["tp"] == 1),
    )
    dtype = given.word("model.dtype") or "bfloat16"
    precision = "bf16-pure" if _pure(given, dtype) else _DTYPES.get(dtype.removeprefix("torch."))
    given.ignore(["model.make_vocab_size_divisible_by"])
    model = _model(given)
    given.recognised("configuration of nanotron")
    return Imported(
        framework="nanotron",
        layout=layout,
        moe=layout.ep > 1,
        model=model,
        seq=given.whole("tokens.sequence_length"),
        global_batch=global_batch,
        precision=precision,
        optimizer="adam",
        unused=given.unused,
        assumed=(),
    )


def _pure(given: Given, dtype: str) -> bool:
    return given.word("optimizer.accumulate_grad_in_fp32") == "False" and dtype == "bfloat16"


def _yaml(text: str) -> Mapping[str, Any]:
    import yaml  # noqa: PLC0415  # 20 ms

    depth = 0
    try:
        for event in yaml.parse(text):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > DEEPEST:
                raise InputError("YAML with anchors (&name, *name) or deep nesting is not read")
        values = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"this is not YAML: {first}") from error
    if not isinstance(values, dict):
        raise InputError("nanotron's configuration has sections: parallelism, tokens, model, ...")
    return values


def _flat(values: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield nested values by ``section.name``."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _model(given: Given) -> str | None:
    """Return the shape of the model on one line: LLaMA's block."""
    tied = given.on(f"{_MODEL}tie_word_embeddings")
    return model_text(
        {
            "h": given.whole(f"{_MODEL}hidden_size"),
            "l": given.whole(f"{_MODEL}num_hidden_layers"),
            "a": given.whole(f"{_MODEL}num_attention_heads"),
            "kv": given.whole(f"{_MODEL}num_key_value_heads"),
            "ffn": given.whole(f"{_MODEL}intermediate_size"),
            "v": given.whole(f"{_MODEL}vocab_size"),
            "gated": 1,
            "tied": 1 if tied else None,
            "s": given.whole(f"{_MODEL}max_position_embeddings"),
        }
    )
