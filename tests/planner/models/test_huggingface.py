"""Files of Hugging Face, as they should not be."""

import json
from pathlib import Path
from typing import Any

import pytest

from plan3d.planner import models
from plan3d.simulator.errors import InputError

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
