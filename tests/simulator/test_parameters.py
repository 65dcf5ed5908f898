"""Counts by hand on a model small enough for it. Published totals: tests/planner/models."""

from dataclasses import replace

import pytest

from plan3d.simulator.errors import InputError
from plan3d.simulator.model import Experts, LatentAttention, ModelSpec
from plan3d.simulator.parameters import (
    active_params,
    attention_params,
    block_tensors,
    dense_mlp_params,
    embedding_params,
    end_params,
    expert_params,
    head_params,
    layer_params,
    matmul_params,
    norm_params,
    position_params,
    router_params,
    shared_expert_params,
    total_params,
)

GPT = ModelSpec(
    layers=2, hidden=4, heads=2, kv_heads=2, head_dim=2, ffn=16, vocab=10, max_positions=3
)
LLAMA = replace(
    GPT,
    kv_heads=1,
    gated=True,
    norm="rmsnorm",
    positions="rotary",
    tied=False,
    qkv_bias=False,
    out_bias=False,
    mlp_bias=False,
)
MOE = replace(LLAMA, experts=Experts(count=8, top_k=2, ffn=5, shared_ffn=3, dense_first=1))
LATENT = replace(
    LLAMA,
    kv_heads=2,
    latent=LatentAttention(q_rank=6, kv_rank=5, nope_dim=3, rope_dim=1, v_dim=2),
)
ALL = [GPT, LLAMA, MOE, LATENT]


def test_gpt_block() -> None:
    assert attention_params(GPT) == 4 * 16 + 4 * 4
    assert dense_mlp_params(GPT) == 2 * 4 * 16 + 16 + 4
    assert norm_params(GPT) == 8
    block = layer_params(GPT, moe=False)
    assert block.tensor == 64 + 12 + 128 + 16
    assert block.replicated == 4 + 4 + 2 * 8
    assert block.experts == 0


def test_tensors_of_a_block() -> None:
    """Matrices with biases and norms of two; five without, norms of one; queries with a bias."""
    assert block_tensors(GPT) == 2 * 4 + 2 * 2
    assert block_tensors(LLAMA) == 5 + 2
    assert block_tensors(replace(LLAMA, qkv_bias=True, out_bias=True)) == 9
    assert block_tensors(replace(LLAMA, mlp_bias=True)) == 7 + 3


def test_gpt_ends() -> None:
    ends = end_params(GPT)
    assert (ends.embedding, ends.positions, ends.head, ends.final) == (40, 12, 0, 8)
    assert total_params(GPT) == 2 * (80 + 148 + 16) + 60


@pytest.mark.parametrize("hidden", [64, 1024])
def test_a_gpt_block_is_12_h_squared_and_13_h(hidden: int) -> None:
    model = replace(GPT, hidden=hidden, heads=8, kv_heads=8, head_dim=hidden // 8, ffn=4 * hidden)
    assert layer_params(model, moe=False).total == 12 * hidden**2 + 13 * hidden


def test_llama_block() -> None:
    """Queries and output 4 x 4, one key and one value head 4 x 2; three matrices of 4 x 16."""
    block = layer_params(LLAMA, moe=False)
    assert attention_params(LLAMA) == 2 * 16 + 2 * 8
    assert (block.tensor, block.replicated) == (48 + 192, 2 * 4)
    assert head_params(LLAMA) == embedding_params(LLAMA) == 40
    assert position_params(LLAMA) == 0
    assert total_params(LLAMA) == 2 * 248 + 2 * 40 + 4


def test_experts() -> None:
    block = layer_params(MOE, moe=True)
    assert expert_params(MOE) == 3 * 4 * 5
    assert router_params(MOE) == 4 * 8
    assert shared_expert_params(MOE) == 3 * 4 * 3
    assert (block.tensor, block.experts, block.replicated) == (48 + 36, 480, 32 + 8)
    assert total_params(MOE) == 248 + 604 + 84
    assert active_params(MOE) == total_params(MOE) - 6 * 60


def test_router_extras() -> None:
    experts = MOE.experts
    assert experts is not None
    gated = replace(MOE, experts=replace(experts, shared_gate=True))
    assert total_params(gated) == total_params(MOE) + 4
    biased = replace(MOE, experts=replace(experts, router_bias=True))
    assert total_params(biased) == total_params(MOE) + 8


def test_a_dense_model_has_no_experts() -> None:
    assert expert_params(LLAMA) == router_params(LLAMA) == shared_expert_params(LLAMA) == 0
    assert layer_params(LLAMA, moe=True) == layer_params(LLAMA, moe=False)


def test_every_second_layer() -> None:
    model = replace(MOE, layers=4, experts=Experts(count=8, top_k=1, ffn=5, every=2))
    assert (model.dense_layers, model.moe_layers) == (2, 2)


def test_latent_attention() -> None:
    """DeepSeek's q_a, q_b, kv_a, kv_b, o, and the norms of the two ranks."""
    q_a, q_b, kv_a, kv_b, o = 4 * 6, 6 * 2 * 4, 4 * (5 + 1), 5 * 2 * (3 + 2), 2 * 2 * 4
    assert attention_params(LATENT) == q_a + q_b + kv_a + kv_b + o + 6 + 5
    block = layer_params(LATENT, moe=False)
    assert block.tensor == q_b + kv_b + o + 192
    assert block.replicated == q_a + kv_a + 6 + 5 + 8


def test_latent_attention_with_a_full_query() -> None:
    assert LATENT.latent is not None
    model = replace(LATENT, latent=replace(LATENT.latent, q_rank=0))
    assert attention_params(model) == 4 * 2 * 4 + 24 + 50 + 16 + 5


def test_extras() -> None:
    assert total_params(replace(LLAMA, qk_norm=True)) == total_params(LLAMA) + 2 * 2 * 2
    assert total_params(replace(GPT, embedding_norm=True)) == total_params(GPT) + 8
    assert total_params(replace(GPT, final_norm=False)) == total_params(GPT) - 8
    assert norm_params(replace(GPT, norm="layernorm-no-params")) == 0
    assert norm_params(replace(GPT, norm="layernorm-no-bias")) == 4


def test_a_narrow_embedding() -> None:
    narrow = end_params(replace(GPT, embedding_dim=2))
    assert (narrow.embedding, narrow.head) == (10 * 2 + 2 * 4, 4 * 2)


@pytest.mark.parametrize("model", ALL)
def test_the_parts_are_the_whole(model: ModelSpec) -> None:
    mlp = dense_mlp_params(model)
    sparse = shared_expert_params(model) + router_params(model)
    if model.experts:
        sparse += model.experts.count * expert_params(model)
    rest = attention_params(model) + model.norms_per_layer * norm_params(model)
    assert layer_params(model, moe=False).total == rest + mlp
    if model.experts:
        assert layer_params(model, moe=True).total == rest + sparse


def test_matrices_only() -> None:
    assert matmul_params(GPT) == 2 * (64 + 128) + 40
    assert matmul_params(MOE) == 2 * 48 + 192 + (2 * 60 + 36 + 32) + 40


@pytest.mark.parametrize("experts", [{"dense_first": 2}, {"every": 0}, {"dense_first": -1}])
def test_experts_must_be_somewhere(experts: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"dense_first is .* every is"):
        replace(LLAMA, experts=Experts(count=8, top_k=1, ffn=5, **experts))
