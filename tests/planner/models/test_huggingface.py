"""Files of Hugging Face, as they are and as they should not be."""

import json
from pathlib import Path
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


def test_a_file_or_its_directory(tmp_path: Path) -> None:
    folder = tmp_path / "My-Llama"
    folder.mkdir()
    file = folder / "config.json"
    file.write_text(json.dumps(LLAMA), encoding="utf-8")
    assert models.from_config(file).name == models.from_config(str(folder)).name == "My-Llama"
    other = tmp_path / "mine.json"
    other.write_text(json.dumps(LLAMA), encoding="utf-8")
    assert models.from_config(other).name == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"hidden_size": None},
            "has no hidden_size or n_embd or n_embed: a whole number is needed",
        ),
        ({"num_hidden_layers": None}, "has no num_hidden_layers or n_layer"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0, but must be a whole number from 1"),
        ({"num_hidden_layers": -3}, "num_hidden_layers is -3"),
        ({"num_hidden_layers": 1.5}, "num_hidden_layers is 1.5"),
        ({"num_hidden_layers": 10**12}, "num_hidden_layers is 1000000000000"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"num_hidden_layers": [32]}, "num_hidden_layers is list"),
        ({"num_hidden_layers": {"a": 1}}, "num_hidden_layers is dict"),
        ({"num_hidden_layers": "32"}, "num_hidden_layers is '32'"),
        ({"num_hidden_layers": "9" * 500}, r"num_hidden_layers is '9{39}\.\.\., but"),
        ({"num_hidden_layers": float("nan")}, "num_hidden_layers is nan"),
        ({"num_hidden_layers": float("inf")}, "num_hidden_layers is inf"),
        ({"num_attention_heads": 33}, "33 heads do not divide the hidden size 4,096"),
        ({"num_key_value_heads": 7}, "32 heads do not divide into 7 key-value heads"),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings is 'no', but must be true or false"),
        ({"model_type": None}, "has no model_type; one of gpt2, .* is needed"),
        ({"model_type": ["llama"]}, "has no model_type"),
        ({"model_type": "bert"}, "model_type 'bert' is not known; there are: gpt2, opt,"),
        ({"model_type": "mixtral"}, "has no num_local_experts or num_experts"),
        (
            {"model_type": "mixtral", "num_local_experts": 2, "num_experts_per_tok": 3},
            "top_k is 3, but must be between 1 and the 2 experts",
        ),
    ],
)
def test_a_bad_value_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        models.from_config(LLAMA | change)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (json.dumps(LLAMA).encode()[:-20], "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[1, 2]", "holds a list, but an object is needed"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b'{"model_type": "llama", "hidden_size": 1e400}', "hidden_size is inf"),
        (b" " * (2**20 + 1), "larger than 1 MiB"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        models.from_config(file)


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no.json", Path("/dev/null")):
        with pytest.raises(InputError, match="there is no file"):
            models.from_config(path)
    with pytest.raises(InputError, match="cannot be read: File name too long"):
        models.from_config("x" * 5000)


@pytest.mark.parametrize("kind", READERS)
def test_every_reader_asks_for_what_it_needs(kind: str) -> None:
    with pytest.raises(InputError, match="a whole number is needed"):
        models.from_config({"model_type": kind})
