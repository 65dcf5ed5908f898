"""Megatron-Bridge and NeMo 2.0: a Python function that sets the fields of a recipe.

Both hold configurations of Megatron-Core, so their fields are Megatron-LM's options by other names.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from plan3d.planner.exports import limits, megatron
from plan3d.planner.exports.arguments import Arguments, Value
from plan3d.planner.exports.megatron import OPTIMIZERS, ROUNDED
from plan3d.planner.exports.planned import Exporter, Limit, Planned, comment
from plan3d.planner.exports.shell import nodes

PARALLEL: Final[Mapping[str, str]] = {
    "tensor-model-parallel-size": "tensor_model_parallel_size",
    "pipeline-model-parallel-size": "pipeline_model_parallel_size",
    "context-parallel-size": "context_parallel_size",
    "sequence-parallel": "sequence_parallel",
    "expert-model-parallel-size": "expert_model_parallel_size",
    "expert-tensor-parallel-size": "expert_tensor_parallel_size",
    "num-virtual-stages-per-pipeline-rank": "virtual_pipeline_model_parallel_size",
    "decoder-first-pipeline-num-layers": "num_layers_in_first_pipeline_stage",
    "decoder-last-pipeline-num-layers": "num_layers_in_last_pipeline_stage",
    "account-for-embedding-in-pipeline-split": "account_for_embedding_in_pipeline_split",
    "account-for-loss-in-pipeline-split": "account_for_loss_in_pipeline_split",
    "pipeline-model-parallel-layout": "pipeline_model_parallel_layout",
}
"""Fields of the model in Bridge, of the strategy in NeMo."""
MODEL: Final[Mapping[str, str]] = {
    "num-layers": "num_layers",
    "hidden-size": "hidden_size",
    "ffn-hidden-size": "ffn_hidden_size",
    "num-attention-heads": "num_attention_heads",
    "num-query-groups": "num_query_groups",
    "kv-channels": "kv_channels",
    "seq-length": "seq_length",
    "make-vocab-size-divisible-by": "make_vocab_size_divisible_by",
    "swiglu": "gated_linear_unit",
    "normalization": "normalization",
    "position-embedding-type": "position_embedding_type",
    "add-qkv-bias": "add_qkv_bias",
    "qk-layernorm": "qk_layernorm",
    "attention-dropout": "attention_dropout",
    "hidden-dropout": "hidden_dropout",
    "cp-comm-type": "cp_comm_type",
    "recompute-granularity": "recompute_granularity",
    "recompute-method": "recompute_method",
    "recompute-num-layers": "recompute_num_layers",
    "num-experts": "num_moe_experts",
    "moe-router-topk": "moe_router_topk",
    "moe-ffn-hidden-size": "moe_ffn_hidden_size",
    "moe-shared-expert-intermediate-size": "moe_shared_expert_intermediate_size",
    "moe-token-dispatcher-type": "moe_token_dispatcher_type",
    "moe-grouped-gemm": "moe_grouped_gemm",
    "q-lora-rank": "q_lora_rank",
    "kv-lora-rank": "kv_lora_rank",
    "qk-head-dim": "qk_head_dim",
    "qk-pos-emb-head-dim": "qk_pos_emb_head_dim",
    "v-head-dim": "v_head_dim",
    "multi-latent-attention": "multi_latent_attention",
    "vocab-size": "vocab_size",
}
NEGATED: Final[Mapping[str, str]] = {
    "untie-embeddings-and-output-weights": "share_embeddings_and_output_weights",
    "disable-bias-linear": "add_bias_linear",
    "no-gradient-accumulation-fusion": "gradient_accumulation_fusion",
}
"""Switches of the model that say the opposite."""
DDP: Final[Mapping[str, str]] = {
    "use-distributed-optimizer": "use_distributed_optimizer",
    "use-megatron-fsdp": "use_megatron_fsdp",
    "data-parallel-sharding-strategy": "data_parallel_sharding_strategy",
    "num-distributed-optimizer-instances": "num_distributed_optimizer_instances",
    "overlap-grad-reduce": "overlap_grad_reduce",
    "overlap-param-gather": "overlap_param_gather",
}
TRAIN: Final[Mapping[str, str]] = {
    "micro-batch-size": "micro_batch_size",
    "global-batch-size": "global_batch_size",
}
OPTIMIZER: Final[Mapping[str, str]] = {
    "optimizer": "optimizer",
    "optimizer-cpu-offload": "optimizer_cpu_offload",
    "optimizer-offload-fraction": "optimizer_offload_fraction",
}

PRECISION: Final[Mapping[str, str]] = {
    "bf16": "bf16_mixed",
    "bf16-pure": "bf16_mixed",
    "fp16": "fp16_mixed",
    "fp8": "bf16_with_fp8_delayed_scaling_mixed",
}
"""Names of Bridge's precision recipes."""
NEMO_PRECISION: Final[Mapping[str, str]] = {
    "bf16": "bf16_mixed",
    "bf16-pure": "bf16_mixed",
    "fp16": "fp16_mixed",
    "fp8": "bf16_with_fp8_mixed",
}
"""Names of NeMo's precision recipes."""


def arguments(plan: Planned) -> Arguments:
    """Return the options of Megatron-LM that a plan asks for."""
    told = dict(megatron.layout_arguments(plan.job, plan.layout, plan.stages))
    return told | dict(megatron.model_arguments(plan.job))


RESET: Final[Mapping[str, Value | None]] = {
    "num-virtual-stages-per-pipeline-rank": None,
    "decoder-first-pipeline-num-layers": None,
    "decoder-last-pipeline-num-layers": None,
    "account-for-embedding-in-pipeline-split": False,
    "account-for-loss-in-pipeline-split": False,
    "pipeline-model-parallel-layout": None,
    "recompute-granularity": None,
    "recompute-method": None,
    "recompute-num-layers": None,
    "num-query-groups": None,
    "use-distributed-optimizer": False,
    "use-megatron-fsdp": False,
    "overlap-grad-reduce": False,
    "overlap-param-gather": False,
}
"""What a recipe may have set, and a plan leaves out."""


def fields(
    given: Arguments, places: Sequence[tuple[str, Mapping[str, str]]]
) -> dict[str, Value | None]:
    """Return ``place.field`` -> value for the options that have a field."""
    found: dict[str, Value | None] = {}
    for place, names in places:
        for name, value in {**RESET, **given}.items():
            if name in names:
                found[f"{place}.{names[name]}"] = (not value) if names is NEGATED else value
    return found


def _overlap(plan: Planned) -> tuple[bool, bool]:
    """Return whether tensor-parallel and pipeline communication overlap."""
    layout = plan.layout
    piped = layout.pp > 1 and layout.vpp > 1
    return bool(layout.tp > 1 and layout.sp and layout.tp_overlap), piped and bool(
        layout.pp_overlap
    )


def _bridge(plan: Planned, about: Sequence[str]) -> str:
    given = arguments(plan)
    found = fields(
        given,
        (
            ("cfg.model", {**PARALLEL, **MODEL}),
            ("cfg.model", NEGATED),
            ("cfg.ddp", DDP),
            ("cfg.train", TRAIN),
            ("cfg.optimizer", OPTIMIZER),
        ),
    )
    found["cfg.dataset.seq_length"] = plan.job.work.seq
    found["cfg.dist.use_tp_pp_dp_mapping"] = given["use-tp-pp-dp-mapping"]
    if given.get("use-megatron-fsdp"):
        found["cfg.dist.use_megatron_fsdp"] = True
        found["cfg.checkpoint.ckpt_format"] = "fsdp_dtensor"
    kind = PRECISION[plan.job.work.precision.name]
    tensor, pipeline = _overlap(plan)
    return _function(
        about,
        ["from megatron.bridge.training.comm_overlap import CommOverlapConfig"],
        "cfg",
        found,
        [
            f"cfg.mixed_precision = {kind!r}",
            # said again: it would set what overlaps by its own rules
            f"cfg.comm_overlap = CommOverlapConfig(tp_comm_overlap={tensor}, "
            f"overlap_p2p_comm={pipeline}, "
            f"overlap_grad_reduce={bool(found['cfg.ddp.overlap_grad_reduce'])}, "
            f"overlap_param_gather={bool(found['cfg.ddp.overlap_param_gather'])})",
            *_tuples(plan, "cfg.model"),
        ],
    )


def _nemo(plan: Planned, about: Sequence[str]) -> str:
    found = fields(
        arguments(plan),
        (
            ("recipe.trainer.strategy", PARALLEL),
            ("recipe.model.config", MODEL),
            ("recipe.model.config", NEGATED),
            ("recipe.trainer.strategy.ddp", DDP),
            ("recipe.data", TRAIN),
            ("recipe.optim.config", OPTIMIZER),
        ),
    )
    found["recipe.data.seq_length"] = plan.job.work.seq
    tensor, pipeline = _overlap(plan)
    found["recipe.model.config.tp_comm_overlap"] = tensor
    found["recipe.model.config.overlap_p2p_comm"] = pipeline
    found["recipe.trainer.devices"], found["recipe.trainer.num_nodes"] = nodes(plan.job)
    kind = NEMO_PRECISION[plan.job.work.precision.name]
    lines = [f"recipe.trainer.plugins = {kind}()", *_tuples(plan, "recipe.model.config")]
    imports = [f"from nemo.collections.llm.recipes.precision.mixed_precision import {kind}"]
    return _function(about, imports, "recipe", found, lines)


def _tuples(plan: Planned, place: str) -> list[str]:
    """Return assignments of what is no plain value."""
    model = plan.job.model
    lines = [f"{place}.activation_func = functional.silu"] * model.gated
    return lines + [f"{place}.window_size = ({model.window}, 0)"] * (model.window > 0)


def _function(
    about: Sequence[str], imports: Sequence[str], name: str, found: Mapping[str, Value | None],
    more: Sequence[str],
) -> str:  # fmt: skip
    """Return a module with a function that sets fields of its argument."""
    functional = "from torch.nn import functional"
    used = [*imports, *[functional] * any("functional." in line for line in more)]
    body = [f"{path} = {value!r}" for path, value in found.items()] + [*more, f"return {name}"]
    lines = [*used, *["", ""] * bool(used), f"def configure({name}):", *(f"    {x}" for x in body)]
    return comment(about) + "\n".join(lines) + "\n"


_COMMON: Final = (
    limits.precision(*PRECISION),
    ROUNDED,
    limits.optimizer(*OPTIMIZERS),
    limits.PURE,
    limits.UNUSUAL,
    Limit(
        says="dense layers among those with experts: set moe_layer_freq yourself",
        applies=lambda plan: plan.job.model.experts is not None and plan.job.model.dense_layers > 0,
    ),
    Limit(
        says="tp_overlap=0 with sp=0: tensor-parallel communication overlaps as far as it does by "
        "itself",
        applies=lambda plan: limits.TP_OVERLAP.applies(plan) and not plan.layout.sp,
        then=limits.TP_OVERLAP.then,
    ),
    Limit(
        says="pp_overlap=0 with vpp=1: nothing overlaps there",
        applies=lambda plan: limits.PP_OVERLAP.applies(plan) and plan.layout.vpp == 1,
        then=limits.PP_OVERLAP.then,
    ),
)

BRIDGE: Final = Exporter(
    framework="megatron",
    form="Python: configure(cfg) sets the fields of a ConfigContainer",
    suffix=".py",
    checked="megatron-bridge 0.3.1",
    limits=_COMMON,
    write=_bridge,
)
NEMO: Final = Exporter(
    framework="nemo",
    form="Python: configure(recipe) sets the fields of a recipe",
    suffix=".py",
    checked="NeMo of 2025-09-20, the last with nemo.collections.llm (not installed: names read)",
    limits=(*_COMMON, limits.ORDER),
    write=_nemo,
)
