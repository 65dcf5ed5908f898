"""Read the options of Megatron-LM as a layout."""

import re
from typing import Final

from plan3d.planner.exports.megatron import OPTIMIZERS, SHARDING
from plan3d.planner.imports.command_line import read_command
from plan3d.planner.imports.given import Given
from plan3d.planner.imports.imported import Asked, Imported, fitted, model_text, replicas
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, Order, Recompute, Schedule
from plan3d.simulator.pipeline import stage_layers

_STAGES: Final = (
    "--decoder-first-pipeline-num-layers",
    "--decoder-last-pipeline-num-layers",
    "--pipeline-model-parallel-layout",
)
_ZERO: Final = {"no_shard": 0, "optim": 1} | {word: zero for zero, word in SHARDING.items()}


def read(text: str, asked: Asked) -> Imported:
    """Return what a launch command of Megatron-LM says."""
    options, gpus = read_command(text)
    return job_of(Given(values=options), Asked(gpus=asked.gpus or gpus, layers=asked.layers))


def job_of(given: Given, asked: Asked, *, framework: str = "megatron") -> Imported:
    """Return what options of Megatron-LM say, names with dashes.

    Raises
    ------
    InputError
        If a value cannot be read, or the degrees do not divide the GPUs or the batch.
    """
    ranks = {
        "tp": given.whole("--tensor-model-parallel-size", "--model-parallel-size") or 1,
        "pp": given.whole("--pipeline-model-parallel-size") or 1,
        "cp": given.whole("--context-parallel-size") or 1,
    }
    layers = given.whole("--num-layers", "--encoder-num-layers") or asked.layers
    dp = replicas(asked.gpus, ranks, "the command")
    micro_batch = given.whole("--micro-batch-size", "--batch-size") or 1
    global_batch = given.whole("--global-batch-size") or micro_batch * dp
    fitted(global_batch, dp, micro_batch)
    vpp = _chunks(given, ranks["pp"], layers)
    zero = _zero(given)
    experts = given.whole("--num-experts")
    kind, count = _recompute(given, layers, ranks["pp"], vpp)
    shared = dp * ranks["cp"] // (given.whole("--num-distributed-optimizer-instances") or 1)
    offload = given.number("--optimizer-offload-fraction")
    overlapping = given.on("--overlap-grad-reduce")
    exchanged = given.word("--cp-comm-type") == "a2a"
    etp = given.whole("--expert-tensor-parallel-size") or ranks["tp"]
    sp = given.on("--sequence-parallel") and ranks["tp"] > 1
    tensor = given.word("--tp-comm-overlap")
    layout = Layout(
        **ranks,
        dp=dp,
        ep=given.whole("--expert-model-parallel-size") or 1,
        etp=etp if experts else 1,
        vpp=vpp,
        micro_batch=micro_batch,
        zero=zero if dp * ranks["cp"] > 1 else 0,
        shard=max(1, shared) if zero else 1,
        sp=int(sp),
        recompute=kind,
        recompute_layers=count,
        schedule=Schedule.INTERLEAVED if vpp > 1 else Schedule.ONE_F_ONE_B,
        cp_all_to_all=int(exchanged and ranks["cp"] > 1),
        tp_overlap=int(tensor not in ("False", "false") or not sp),
        dp_overlap=int(overlapping or dp * ranks["cp"] == 1),
        pp_overlap=int(not given.on("--no-overlap-p2p-communication")),
        offload=(1.0 if offload is None else offload) * given.on("--optimizer-cpu-offload"),
        order=Order(int(given.on("--use-tp-pp-dp-mapping"))),
    )
    given.ignore(_ALONG)
    stages = [f"{name} {given.word(name)}" for name in _STAGES if given.has(name)]
    model = _model(given, layers, experts)
    optimizer = given.word("--optimizer") or "adam"
    return Imported(
        framework=framework,
        layout=layout,
        moe=bool(experts),
        model=model,
        seq=given.whole("--seq-length", "--encoder-seq-length"),
        global_batch=global_batch,
        precision=_precision(given),
        optimizer=optimizer if optimizer in OPTIMIZERS else None,
        unused=given.unused,
        assumed=(
            *(f"{text}: estimates split the layers as evenly as they go" for text in stages),
            *(["no --micro-batch-size: 1"] if not given.has("--micro-batch-size") else []),
            *(["no --vocab-size: 51,200"] if not given.has("--vocab-size") else []),
            *([_LATENT] if given.on("--multi-latent-attention") else []),
            *([f"optimizer {optimizer} is not known"] if optimizer not in OPTIMIZERS else []),
        ),
    )


_LATENT: Final = "multi-head latent attention is not in --model: give a config.json there"
_ALONG: Final = (
    "--overlap-param-gather",
    "--ckpt-format",
    "--no-gradient-accumulation-fusion",
    "--account-for-embedding-in-pipeline-split",
    "--account-for-loss-in-pipeline-split",
    "--group-query-attention",
    "--moe-grouped-gemm",
    "--moe-token-dispatcher-type",
    "--make-vocab-size-divisible-by",
    "--attention-dropout",
    "--hidden-dropout",
    "--position-embedding-type",
    "--normalization",
    "--disable-bias-linear",
    "--add-qkv-bias",
    "--qk-layernorm",
    "--use-rotary-position-embeddings",
)
"""What follows from the rest, or from ``gated=1`` of a model."""


def _chunks(given: Given, pp: int, layers: int | None) -> int:
    """Return the model chunks of a stage."""
    chunks = given.whole("--num-virtual-stages-per-pipeline-rank")
    each = given.whole("--num-layers-per-virtual-pipeline-stage")
    if chunks or not each:
        return chunks or 1
    if layers is None or layers % (pp * each):
        raise InputError(
            f"--num-layers-per-virtual-pipeline-stage {each} and --num-layers {layers} do not make "
            f"whole chunks on {pp} stages; pp * layers per chunk must divide the layers"
        )
    return layers // (pp * each)


def _zero(given: Given) -> int:
    """Return the ZeRO stage."""
    plain = int(given.on("--use-distributed-optimizer"))
    strategy: int = given.choice("--data-parallel-sharding-strategy", _ZERO, plain)
    if given.on("--use-torch-fsdp2"):
        return 3
    return strategy if given.on("--use-megatron-fsdp", "--use-custom-fsdp") else plain


def _recompute(given: Given, layers: int | None, pp: int, vpp: int) -> tuple[Recompute, int]:
    """Return what is recomputed, and of how many layers of a stage where that is said."""
    kinds = {"full": Recompute.FULL, "selective": Recompute.SELECTIVE}
    kind: Recompute = given.choice("--recompute-granularity", kinds, Recompute.NONE)
    if given.on("--recompute-activations"):
        kind = Recompute.SELECTIVE
    if given.on("--checkpoint-activations"):
        kind = Recompute.FULL
    method = given.word("--recompute-method")
    count = (given.whole("--recompute-num-layers") or 1) * vpp
    if kind != Recompute.FULL or method != "block":
        return kind, 0
    if layers is not None and count >= stage_layers(layers, pp, vpp):
        return Recompute.FULL, 0
    return Recompute.BLOCK, count


def _precision(given: Given) -> str:
    """Return the name of the precision recipe."""
    bf16, fp16 = given.on("--bf16"), given.on("--fp16")
    if given.word("--fp8-format"):
        return "fp8"
    return "bf16" if bf16 else "fp16" if fp16 else "fp32"


def _model(given: Given, layers: int | None, experts: int | None) -> str | None:
    """Return the shape of the model on one line."""
    heads = given.whole("--num-attention-heads")
    hidden = given.whole("--hidden-size")
    gated = given.on("--swiglu")
    untied = given.on("--untie-embeddings-and-output-weights")
    head_dim = given.whole("--kv-channels")
    window = re.match(r"\(?(\d{1,9})\b", given.word("--window-size") or "", re.ASCII)
    shape = {
        "h": hidden,
        "l": layers,
        "a": heads,
        "kv": given.whole("--num-query-groups", "--num-key-value-heads"),
        "d": head_dim if hidden and heads and head_dim != hidden / heads else None,
        "ffn": given.whole("--ffn-hidden-size"),
        "v": given.whole("--vocab-size", "--padded-vocab-size"),
        "gated": int(gated),
        "tied": None if gated == untied else int(not untied),
        "w": int(window[1]) if window else 0,
        "e": experts,
        "k": given.whole("--moe-router-topk", "--topk") if experts else None,
        "effn": given.whole("--moe-ffn-hidden-size") if experts else None,
        "shared": given.whole("--moe-shared-expert-intermediate-size") if experts else None,
    }
    positions = given.whole("--max-position-embeddings")
    return model_text(shape | {"s": positions})
