import json
from pathlib import Path

import pytest

from plan3d.planner.models import resolve
from plan3d.simulator.errors import InputError

GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "vocab_size": 50257}


def test_a_name() -> None:
    assert resolve("gpt3").name == "gpt175b"


def test_a_file(tmp_path: Path) -> None:
    """Of a model with 1,024 positions 4,096 sequences make 4 Mi tokens."""
    file = tmp_path / "a=b.json"
    file.write_text(json.dumps(GPT2), encoding="utf-8")
    preset = resolve(str(file))
    assert (preset.name, preset.seq, preset.global_batch) == ("a=b", 1024, 4096)
    assert preset.published_params is None
    assert preset.workload.tokens == 2**22


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(GPT2), encoding="utf-8")
    assert resolve(str(tmp_path)).name == tmp_path.name


def test_a_name_is_not_a_folder_that_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gpt2").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve("gpt2").published_params == 124_439_808


@pytest.mark.parametrize(
    ("line", "seq", "batch"),
    [("s=8192", 8192, 512), ("s=3000", 3000, 1398), ("gated=1", 2048, 2048)],
)
def test_a_line(line: str, seq: int, batch: int) -> None:
    """The whole sequences that fit into 4 Mi = 4,194,304 tokens."""
    preset = resolve(f"h=4096,l=32,a=32,{line}")
    assert (preset.seq, preset.global_batch) == (seq, batch)
    assert f"{batch:,} sequences of {seq:,} tokens" in preset.note


def test_positions_beyond_a_power_of_two(tmp_path: Path) -> None:
    """OPT's table has two more rows than the context."""
    opt = {
        "model_type": "opt",
        "hidden_size": 768,
        "ffn_dim": 3072,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "vocab_size": 50272,
    }
    (tmp_path / "config.json").write_text(json.dumps(opt), encoding="utf-8")
    assert resolve(str(tmp_path)).seq == 2048


@pytest.mark.parametrize("text", ["", "gpt-5", "no/such/folder", "x" * 5000, "a\0b"])
def test_nothing_of_the_kind(text: str) -> None:
    with pytest.raises(InputError, match=r"no model .* [tT]here are: "):
        resolve(text)


def test_no_such_file() -> None:
    with pytest.raises(InputError, match=r"there is no file no/config\.json"):
        resolve("no/config.json")
