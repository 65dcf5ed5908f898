"""Each family of Hugging Face, as its configs are: against the zoo, or a published total."""

from typing import Any

import pytest

from plan3d.planner import models
from plan3d.planner.models.readers import READERS
from plan3d.simulator.errors import InputError
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.parameters import total_params

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "rope_scaling": None,
    "tie_word_embeddings": False,
}
CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "llama": (LLAMA, "llama-3-8b"),
    "gpt2": (
        {"n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "vocab_size": 50257},
        "gpt2",
    ),
    "gpt_neox": (
        {
            "hidden_size": 6144,
            "intermediate_size": 24576,
            "num_attention_heads": 64,
            "num_hidden_layers": 44,
            "vocab_size": 50432,
            "max_position_embeddings": 2048,
        },
        "gpt-neox-20b",
    ),
    "opt": (
        {
            "hidden_size": 1024,
            "word_embed_proj_dim": 512,
            "do_layer_norm_before": False,
            "ffn_dim": 4096,
            "num_attention_heads": 16,
            "num_hidden_layers": 24,
            "vocab_size": 50272,
            "max_position_embeddings": 2048,
        },
        "opt-350m",
    ),
    "bloom": (
        {"n_embed": 14336, "n_layer": 70, "num_attention_heads": 112, "vocab_size": 250880},
        "bloom-176b",
    ),
    "mistral": (
        LLAMA | {"vocab_size": 32000, "sliding_window": 4096, "max_position_embeddings": 32768},
        "mistral-7b",
    ),
    "mixtral": (
        LLAMA
        | {
            "vocab_size": 32000,
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
            "max_position_embeddings": 32768,
            "sliding_window": None,
        },
        "mixtral-8x7b",
    ),
    "qwen2": (
        {
            "hidden_size": 3584,
            "intermediate_size": 18944,
            "num_attention_heads": 28,
            "num_hidden_layers": 28,
            "num_key_value_heads": 4,
            "vocab_size": 152064,
            "max_position_embeddings": 131072,
            "sliding_window": 131072,
            "use_sliding_window": False,
        },
        "qwen2.5-7b",
    ),
    "qwen3": (
        {
            "hidden_size": 1024,
            "intermediate_size": 3072,
            "num_attention_heads": 16,
            "num_hidden_layers": 28,
            "num_key_value_heads": 8,
            "vocab_size": 151936,
            "max_position_embeddings": 40960,
            "tie_word_embeddings": True,
        },
        "qwen3-0.6b",
    ),
    "qwen3_moe": (
        {
            "hidden_size": 2048,
            "intermediate_size": 6144,
            "moe_intermediate_size": 768,
            "num_experts": 128,
            "num_experts_per_tok": 8,
            "mlp_only_layers": [],
            "decoder_sparse_step": 1,
            "num_attention_heads": 32,
            "num_hidden_layers": 48,
            "num_key_value_heads": 4,
            "head_dim": 128,
            "vocab_size": 151936,
            "max_position_embeddings": 40960,
        },
        "qwen3-30b-a3b",
    ),
    "deepseek_v3": (
        {
            "hidden_size": 7168,
            "intermediate_size": 18432,
            "moe_intermediate_size": 2048,
            "num_attention_heads": 128,
            "num_key_value_heads": 128,
            "num_hidden_layers": 61,
            "vocab_size": 129280,
            "q_lora_rank": 1536,
            "kv_lora_rank": 512,
            "qk_nope_head_dim": 128,
            "qk_rope_head_dim": 64,
            "v_head_dim": 128,
            "n_routed_experts": 256,
            "n_shared_experts": 1,
            "num_experts_per_tok": 8,
            "first_k_dense_replace": 3,
            "topk_method": "noaux_tc",
            "max_position_embeddings": 163840,
        },
        "deepseek-v3",
    ),
}


def shape(model: ModelSpec) -> ModelSpec:
    return ModelSpec(**{f: getattr(model, f) for f in model.__slots__} | {"name": "same"})


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_config_is_the_model_of_the_zoo(kind: str) -> None:
    """Two transcriptions, one from the paper and one in the words of transformers."""
    values, name = CONFIGS[kind]
    read, zoo = shape(models.from_config(values | {"model_type": kind})), models.load(name).model
    if kind == "bloom":  # alibi has no position table: its length means nothing
        assert total_params(read) == total_params(zoo)
    else:
        assert read == shape(zoo)


def test_qwen2_moe() -> None:
    """Qwen1.5-MoE-A2.7B: 14,315,784,192 parameters in the checkpoint."""
    config = {
        "model_type": "qwen2_moe",
        "hidden_size": 2048,
        "intermediate_size": 5632,
        "moe_intermediate_size": 1408,
        "shared_expert_intermediate_size": 5632,
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
        "num_experts": 60,
        "num_experts_per_tok": 4,
        "vocab_size": 151936,
    }
    assert total_params(models.from_config(config)) == 14_315_784_192


def test_deepseek_v2_lite_has_a_full_query() -> None:
    """DeepSeek-V2-Lite: 15,706,484,224 parameters in the checkpoint."""
    config = CONFIGS["deepseek_v3"][0] | {
        "model_type": "deepseek_v2",
        "hidden_size": 2048,
        "intermediate_size": 10944,
        "moe_intermediate_size": 1408,
        "num_attention_heads": 16,
        "num_hidden_layers": 27,
        "vocab_size": 102400,
        "q_lora_rank": None,
        "n_routed_experts": 64,
        "n_shared_experts": 2,
        "num_experts_per_tok": 6,
        "first_k_dense_replace": 1,
        "topk_method": "greedy",
    }
    assert total_params(models.from_config(config)) == 15_706_484_224


def test_a_dense_deepseek() -> None:
    config = CONFIGS["deepseek_v3"][0] | {"model_type": "deepseek_v3", "n_routed_experts": None}
    assert models.from_config(config).experts is None


def test_the_text_part_of_a_multimodal_config() -> None:
    text = LLAMA | {
        "model_type": "llama4_text",
        "intermediate_size": 8192,
        "intermediate_size_mlp": 16384,
        "num_local_experts": 16,
        "num_experts_per_tok": 1,
        "interleave_moe_layer_step": 1,
        "num_hidden_layers": 48,
        "hidden_size": 5120,
        "num_attention_heads": 40,
        "vocab_size": 202048,
        "max_position_embeddings": 262144,
    }
    model = models.from_config({"model_type": "llama4", "text_config": text, "vision_config": {}})
    assert shape(model) == shape(models.load("llama-4-scout").model)


def test_a_window_in_all_layers_counts() -> None:
    windowed = CONFIGS["qwen2"][0] | {"model_type": "qwen2", "use_sliding_window": True}
    assert models.from_config(windowed | {"max_window_layers": 0}).window == 131072
    assert models.from_config(windowed).window == 0


def test_dense_layers_of_qwen_moe() -> None:
    config = CONFIGS["qwen3_moe"][0] | {"model_type": "qwen3_moe", "mlp_only_layers": [0, 1]}
    assert models.from_config(config).moe_layers == 46
    with pytest.raises(InputError, match=r"mlp_only_layers is \[3\], but only the first"):
        models.from_config(config | {"mlp_only_layers": [3]})


@pytest.mark.parametrize("kind", READERS)
def test_every_reader_asks_for_what_it_needs(kind: str) -> None:
    with pytest.raises(InputError, match="a whole number is needed"):
        models.from_config({"model_type": kind})
