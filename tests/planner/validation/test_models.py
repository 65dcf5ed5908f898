from collections.abc import Callable

import pytest

from plan3d.planner.validation import Run
from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.models import model_of


def test_a_gpt_block_unless_the_mlp_is_gated(run: Callable[..., Run]) -> None:
    gpt, assumed = model_of(run())
    assert (gpt.norm, gpt.positions, gpt.tied, gpt.mlp_bias, gpt.ffn) == (
        "layernorm", "learned", True, True, 24576,
    )  # fmt: skip
    assert (gpt.kv_heads, gpt.head_dim, assumed) == (64, 96, ())
    llama = model_of(run(gated_mlp=1, ffn_hidden=16384, kv_heads=8)).value
    assert (llama.norm, llama.positions, llama.tied, llama.mlp_bias, llama.ffn) == (
        "rmsnorm", "rotary", False, False, 16384,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("notes", "tied"),
    [("MFU counts a tied copy", True), ("untied embeddings", False), ("united effort", False)],
)
def test_the_notes_decide_on_tying(run: Callable[..., Run], notes: str, tied: bool) -> None:
    assert model_of(run(gated_mlp=1, notes=notes)).value.tied is tied


def test_families_that_differ(run: Callable[..., Run]) -> None:
    assert model_of(run(model="Nemotron4 15B")).value.positions == "rotary"
    assert model_of(run(model="GPT-NeoX-20B")).value.parallel_residual
    assert model_of(run(model="Qwen2.5-7B", gated_mlp=1)).value.qkv_bias
    internlm = model_of(run(model="InternLM-7B", gated_mlp=1)).value
    assert (internlm.qkv_bias, internlm.out_bias, internlm.mlp_bias) == (True, True, False)
    qwen3 = model_of(run(model="Qwen3-235B-A22B", gated_mlp=1)).value
    assert (qwen3.qk_norm, qwen3.qkv_bias) == (True, False)
    assert model_of(run(model="llama-like-1B", gated_mlp=1)).value.tied
    assert not model_of(run(model="llama-like-8B", gated_mlp=1)).value.tied
    assert model_of(run(model="Llama-3.2-3B", gated_mlp=1)).value.tied


def test_heads_may_be_wider_than_the_hidden_size(run: Callable[..., Run]) -> None:
    """Qwen3-235B: 64 heads of 128 on 4,096."""
    model = model_of(run(hidden=4096, heads=64, head_dim=128)).value
    assert (model.hidden, model.heads, model.head_dim) == (4096, 64, 128)


def test_experts(run: Callable[..., Run]) -> None:
    model = model_of(run(experts=8, experts_topk=2, moe_ffn=7168)).value
    assert model.experts is not None
    assert (model.experts.count, model.experts.top_k, model.experts.ffn) == (8, 2, 7168)
    assert model_of(run(experts=1)).value.experts is None


def test_an_unstated_vocabulary_is_said(run: Callable[..., Run]) -> None:
    assert model_of(run(vocab=None)).assumed == ("vocab=51200",)


@pytest.mark.parametrize("changes", [{"model": "ViT-L/16"}, {"kv_heads": 7}])
def test_what_is_no_decoder_is_skipped(run: Callable[..., Run], changes: dict[str, object]) -> None:
    with pytest.raises(SkipError):
        model_of(run(**changes))
