"""What each `model_type` of Hugging Face calls the fields of a model.

The names and defaults are those of `transformers` (models/*/configuration_*.py). Rotary scaling and
quantisation do not change the shape, and are ignored; windows that only some layers have, too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from plan3d.planner.models.fields import whole
from plan3d.simulator.errors import InputError
from plan3d.simulator.model import Experts, LatentAttention


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a file says, read with an eye on types."""

    values: Mapping[str, Any]
    origin: str

    def whole(self, *keys: str, default: int | None = None, least: int = 1) -> int:
        """Return the first of the keys that is there and not null."""
        for key in keys:
            if self.values.get(key) is not None:
                return whole(self.values[key], f"{self.origin}: {key}", least=least)
        if default is None:
            raise InputError(f"{self.origin} has no {' or '.join(keys)}: a whole number is needed")
        return default

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise InputError(f"{self.origin}: {key} is {value!r:.40}, but must be true or false")
        return value


def _shape(config: Config, head_dim: int = 0) -> dict[str, Any]:
    """Return what all files say; `head_dim` is the default of the class, where it has one."""
    hidden = config.whole("hidden_size", "n_embd", "n_embed")
    heads = config.whole("num_attention_heads", "n_head")
    if config.values.get("head_dim") is None and not head_dim and hidden % heads:
        raise InputError(
            f"{config.origin}: {heads:,} heads do not divide the hidden size {hidden:,}, "
            f"and there is no head_dim"
        )
    return {
        "layers": config.whole("num_hidden_layers", "n_layer"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": config.whole("head_dim", default=head_dim or hidden // heads),
        "vocab": config.whole("vocab_size"),
    }


def _gpt2(config: Config) -> dict[str, Any]:
    shape = _shape(config)
    return shape | {
        "ffn": config.whole("n_inner", default=4 * shape["hidden"]),
        "max_positions": config.whole("n_positions", "n_ctx", default=1024),
        "tied": config.flag("tie_word_embeddings", default=True),
    }


def _opt(config: Config) -> dict[str, Any]:
    shape = _shape(config)
    bias = config.flag("enable_bias", default=True)
    narrow = config.whole("word_embed_proj_dim", default=shape["hidden"])
    affine = config.flag("layer_norm_elementwise_affine", default=True)
    last = config.flag("do_layer_norm_before", default=True)
    return shape | {
        "ffn": config.whole("ffn_dim"),
        "max_positions": config.whole("max_position_embeddings", default=2048) + 2,
        "tied": config.flag("tie_word_embeddings", default=True),
        "embedding_dim": 0 if narrow == shape["hidden"] else narrow,
        "norm": "layernorm" if affine else "layernorm-no-params",
        "final_norm": last and not config.flag("_remove_final_layer_norm", default=False),
        **dict.fromkeys(("qkv_bias", "out_bias", "mlp_bias"), bias),
    }


def _bloom(config: Config) -> dict[str, Any]:
    shape = _shape(config)
    return shape | {
        "ffn": config.whole("n_inner", default=4 * shape["hidden"]),
        "max_positions": config.whole("seq_length", default=2048),
        "positions": "alibi",
        "tied": config.flag("tie_word_embeddings", default=True),
        "embedding_norm": True,
    }


def _gpt_neox(config: Config) -> dict[str, Any]:
    bias = config.flag("attention_bias", default=True)
    return _shape(config) | {
        "ffn": config.whole("intermediate_size"),
        "max_positions": config.whole("max_position_embeddings", default=2048),
        "positions": "rotary",
        "tied": config.flag("tie_word_embeddings", default=False),
        "parallel_residual": config.flag("use_parallel_residual", default=True),
        "qkv_bias": bias,
        "out_bias": bias,
    }


def _llama(config: Config, head_dim: int = 0) -> dict[str, Any]:
    shape = _shape(config, head_dim)
    bias = config.flag("attention_bias", default=False)
    return shape | {
        "kv_heads": config.whole("num_key_value_heads", default=shape["heads"]),
        "ffn": config.whole("intermediate_size"),
        "max_positions": config.whole("max_position_embeddings", default=2048),
        "gated": True,
        "norm": "rmsnorm",
        "positions": "rotary",
        "tied": config.flag("tie_word_embeddings", default=False),
        "qkv_bias": bias,
        "out_bias": bias,
        "mlp_bias": config.flag("mlp_bias", default=False),
    }


def _mistral(config: Config) -> dict[str, Any]:
    return _llama(config) | {"window": config.whole("sliding_window", default=0, least=0)}


def _mixtral(config: Config) -> dict[str, Any]:
    experts = Experts(
        count=config.whole("num_local_experts", "num_experts"),
        top_k=config.whole("num_experts_per_tok"),
        ffn=config.whole("intermediate_size"),
    )
    return _mistral(config) | {"experts": experts}


def _qwen2(config: Config, head_dim: int = 0) -> dict[str, Any]:
    windowed = config.flag("use_sliding_window", default=False)
    everywhere = windowed and config.whole("max_window_layers", default=28, least=0) == 0
    window = config.whole("sliding_window", default=0, least=0) if everywhere else 0
    return _llama(config, head_dim) | {"qkv_bias": True, "out_bias": False, "window": window}


def _qwen3(config: Config) -> dict[str, Any]:
    bias = config.flag("attention_bias", default=False)
    return _qwen2(config, 128) | {"qkv_bias": bias, "out_bias": bias, "qk_norm": True}


def _first_dense(config: Config) -> int:
    """Return how many layers at the start are dense, as Qwen's MoE files say it."""
    dense = config.values.get("mlp_only_layers") or []
    if not isinstance(dense, list) or dense != list(range(len(dense))):
        raise InputError(
            f"{config.origin}: mlp_only_layers is {dense!r:.40}, but only the first layers can be "
            f"dense: [0, 1, ...]"
        )
    return len(dense)


def _qwen_experts(config: Config, *, shared: bool) -> Experts:
    return Experts(
        count=config.whole("num_experts", "num_local_experts"),
        top_k=config.whole("num_experts_per_tok"),
        ffn=config.whole("moe_intermediate_size"),
        shared_ffn=config.whole("shared_expert_intermediate_size") if shared else 0,
        shared_gate=shared,
        dense_first=_first_dense(config),
        every=config.whole("decoder_sparse_step", default=1),
    )


def _qwen2_moe(config: Config) -> dict[str, Any]:
    return _qwen2(config) | {"experts": _qwen_experts(config, shared=True)}


def _qwen3_moe(config: Config) -> dict[str, Any]:
    return _qwen3(config) | {"experts": _qwen_experts(config, shared=False)}


def _llama4(config: Config) -> dict[str, Any]:
    width = config.whole("intermediate_size")
    experts = Experts(
        count=config.whole("num_local_experts"),
        top_k=config.whole("num_experts_per_tok"),
        ffn=width,
        shared_ffn=width,
        every=config.whole("interleave_moe_layer_step", default=1),
    )
    return _llama(config) | {"ffn": config.whole("intermediate_size_mlp"), "experts": experts}


def _deepseek(config: Config) -> dict[str, Any]:
    nope = config.whole("qk_nope_head_dim")
    latent = LatentAttention(
        q_rank=config.whole("q_lora_rank", default=0, least=0),
        kv_rank=config.whole("kv_lora_rank"),
        nope_dim=nope,
        rope_dim=config.whole("qk_rope_head_dim"),
        v_dim=config.whole("v_head_dim"),
    )
    shape = _llama(config, nope)
    shape |= {"kv_heads": shape["heads"], "qkv_bias": False, "latent": latent}
    if config.values.get("n_routed_experts") is None:
        return shape
    width = config.whole("moe_intermediate_size")
    experts = Experts(
        count=config.whole("n_routed_experts"),
        top_k=config.whole("num_experts_per_tok"),
        ffn=width,
        shared_ffn=width * config.whole("n_shared_experts", default=0, least=0),
        router_bias=config.values.get("topk_method") == "noaux_tc",
        dense_first=config.whole("first_k_dense_replace", default=0, least=0),
        every=config.whole("moe_layer_freq", default=1),
    )
    return shape | {"experts": experts}


READERS: Final[Mapping[str, Callable[[Config], dict[str, Any]]]] = {
    "gpt2": _gpt2,
    "opt": _opt,
    "bloom": _bloom,
    "gpt_neox": _gpt_neox,
    "llama": _llama,
    "llama4_text": _llama4,
    "mistral": _mistral,
    "mixtral": _mixtral,
    "qwen2": _qwen2,
    "qwen2_moe": _qwen2_moe,
    "qwen3": _qwen3,
    "qwen3_moe": _qwen3_moe,
    "deepseek_v2": _deepseek,
    "deepseek_v3": _deepseek,
}
"""One reader for each `model_type`."""
