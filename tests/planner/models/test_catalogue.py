"""The zoo: totals as published, and files that are refused by path."""

from pathlib import Path

import pytest

from plan3d.planner import models
from plan3d.planner.models.catalogue import from_toml
from plan3d.simulator.errors import InputError
from plan3d.simulator.parameters import active_params, total_params

GOOD = """
[common]
source = "a paper"
seq = 1024
global_batch = 8
[models.tiny]
model = { layers = 2, hidden = 64, heads = 4, vocab = 100 }
"""


@pytest.mark.parametrize("name", models.names())
def test_totals_are_the_published_ones(name: str) -> None:
    """Exactly where the source is exact; else within 0.1 %, or the digits that it prints."""
    preset = models.load(name)
    total = total_params(preset.model)
    if preset.published_params is None:
        assert name == "uscnlp-7b"
        assert total == 6_738_415_616  # LLaMA-7B
    elif preset.rounding:
        slack = max(preset.rounding, 1e-3 * preset.published_params)
        assert abs(total - preset.published_params) <= slack
    else:
        assert total == preset.published_params


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("mixtral-8x7b", 12.9),  # arXiv:2401.04088, table 2: 13B; announced as 12.9B
        ("mixtral-8x22b", 39),
        ("deepseek-v2", 21),
        ("deepseek-v3", 37),
        ("qwen3-30b-a3b", 3.3),
        ("qwen3-235b-a22b", 22),
        ("llama-4-scout", 17),
        ("llama-4-maverick", 17),
    ],
)
def test_active_parameters_are_the_published_ones(name: str, billions: float) -> None:
    assert active_params(models.load(name).model) == pytest.approx(billions * 1e9, rel=0.02)


@pytest.mark.parametrize("name", models.names())
def test_a_preset_is_a_complete_question(name: str) -> None:
    preset = models.load(name)
    assert preset.workload.tokens > 0
    assert preset.hardware in {"dgx-a100-80g", "dgx-h100"}
    assert preset.source
    assert preset.model.positions != "learned" or preset.seq <= preset.model.max_positions


def test_gpt3_defaults() -> None:
    preset = models.load("gpt175b")
    assert (preset.seq, preset.global_batch, preset.tokens) == (2048, 1536, 300e9)
    assert (preset.hardware, preset.precision) == ("dgx-a100-80g", "fp16")


def test_the_zoo_is_complete() -> None:
    names = set(models.names())
    assert len(names) == len(models.names()) >= 70
    assert {f"gpt2{s}" for s in ("", "-medium", "-large", "-xl")} <= names
    assert len([n for n in names if n.startswith("megatron-")]) == 13
    assert {"llama-65b", "llama-2-70b", "llama-3.1-405b", "mistral-7b", "nemotron-4-340b"} <= names


def test_vision_of_llama_4() -> None:
    """The checkpoints less the vision part (transformers, modeling_llama4.py) are the text."""
    h, mlp, out = 1408, 5632, 4096
    block = 4 * (h * h + h) + (h * mlp + mlp) + (mlp * h + h) + 4 * h
    vision = 34 * block + 14 * 14 * 3 * h + (1 + 577 + 4) * h
    bridge = mlp * out + out * out + out * 5120
    for name, whole in (("scout", 108_641_793_536), ("maverick", 401_583_781_376)):
        published = models.load(f"llama-4-{name}").published_params
        assert published == whole - vision - bridge


def test_aliases_and_case() -> None:
    assert models.load("GPT3-175B") is models.load("gpt175b")
    assert models.load(" llama2-7b ").name == "llama-2-7b"


def test_an_unknown_name_hints() -> None:
    with pytest.raises(InputError, match=r"no model 'gpt175'; did you mean .*gpt175b"):
        models.load("gpt175")


def test_a_file_is_read() -> None:
    (preset,) = from_toml(GOOD, "mine.toml")
    assert (preset.name, preset.model.ffn, preset.model.head_dim) == ("tiny", 256, 16)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "layers",
            "layres",
            r"mine.toml: models.tiny.model.layres is unknown; there are: .*layers",
        ),
        ("seq", "sequence", r"models.tiny.sequence is unknown; there are: .*seq"),
        ("layers = 2, ", "", r"models.tiny.model: layers is missing"),
        ("layers = 2", "layers = 2.5", r"models.tiny.model.layers is 2.5, but must be a whole"),
        ("layers = 2", "gated = 1, layers = 2", r"gated is 1, but must be a bool"),
        ("layers = 2", 'norm = "big", layers = 2', r"norm is 'big', but must be one of .*rmsnorm"),
        ("layers = 2", "experts = 8, layers = 2", r"model.experts is 8, but must be a table"),
        (
            "layers = 2",
            "experts = {count = 8}, layers = 2",
            r"model.experts: top_k, ffn is missing",
        ),
        ("heads = 4", "heads = 5", r"hidden is 64, which 5 heads do not divide"),
        ("seq = 1024", "seq = 0", r"models.tiny.seq is 0, but must be a whole number from 1"),
        ('"a paper"', "3", r"models.tiny.source is 3, but must be a str"),
        ('source = "a paper"', "", r"models.tiny.source is missing"),
        ("[common]", "[comon]", r"mine.toml: comon is unknown; there are: common, models"),
        ("[models.tiny]", "[models]", r"mine.toml: models.model.layers is unknown"),
        ("[common]", "[common", r"mine.toml is not TOML"),
        ("seq = 1024", 'seq = 1024\npublished_params = "7 Q"', r"is '7 Q', but must be .*'1.7 B'"),
    ],
)
def test_a_bad_file_is_refused_by_path(old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_toml(GOOD.replace(old, new), "mine.toml")


def test_printed_digits_carry_their_rounding() -> None:
    text = GOOD.replace("seq = 1024", 'seq = 1024\npublished_params = "1.70 B"')
    (preset,) = from_toml(text, "mine.toml")
    assert (preset.published_params, preset.rounding) == (1.7e9, 5e6)


def test_every_file_says_where_it_comes_from() -> None:
    folder = Path(models.__file__).parent
    for file in folder.glob("*.toml"):
        assert file.read_text(encoding="utf-8").startswith("# "), file.name
