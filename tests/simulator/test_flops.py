"""Worked examples of the papers, and identities between the conventions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.simulator.flops import (
    CONVENTIONS,
    attention_flop_per_token,
    keys_causal,
    keys_full,
    megatron_flop,
    megatron_model_flop,
    model_flop_per_step,
    model_flop_per_token,
    weight_flop_per_token,
)
from plan3d.simulator.model import Experts, LatentAttention, ModelSpec
from plan3d.simulator.parameters import matmul_params, total_params
from plan3d.simulator.workload import Workload

GPT = ModelSpec(
    layers=96, hidden=12288, heads=96, kv_heads=96, head_dim=128, ffn=49152, vocab=51200
)


def test_kaplan() -> None:
    """GPT-3: 3.14e23 FLOP for 300 B tokens of 174,600 M parameters (table D.1)."""
    assert weight_flop_per_token(174.6e9) * 300e9 == pytest.approx(3.14e23, rel=2e-3)


def test_palm() -> None:
    """PaLM 540B, appendix B: 118 layers, 48 heads of 256, sequence 2,048."""
    attention = attention_flop_per_token(118, 48, 256, 256, 2048)
    assert attention == 12 * 118 * 48 * 256 * 2048


@pytest.mark.parametrize(
    ("layers", "hidden", "gpus", "tflop_per_s", "tokens", "days"),
    [(96, 12288, 1024, 140, 300e9, 34), (128, 25600, 3072, 163, 450e9, 84)],
)
def test_megatron(
    layers: int, hidden: int, gpus: int, tflop_per_s: float, tokens: float, days: float
) -> None:
    """The training times that section 5.1 prints for 175B and 1T."""
    flop_per_token = megatron_flop(1 / 2048, 2048, layers, hidden, 51200)
    seconds = flop_per_token * tokens / (gpus * tflop_per_s * 1e12)
    assert seconds / 86400 == pytest.approx(days, rel=0.03)


def test_korthikanti() -> None:
    """Table 5: 175B takes 13.75 s on 64 A100s, which is an MFU of 51.4 %."""
    flop = megatron_model_flop(64, 2048, 96, 12288, 51200)
    assert flop / 13.75 / 64 / 312e12 == pytest.approx(0.514, abs=5e-4)


def test_the_exact_count_is_korthikantis_for_gpt() -> None:
    work = Workload(seq=2048, global_batch=1536)
    assert model_flop_per_step(GPT, work) == pytest.approx(
        megatron_model_flop(1536, 2048, 96, 12288, 51200), rel=1e-12
    )
    assert CONVENTIONS["megatron-2022"](GPT, 2048.0) == pytest.approx(
        model_flop_per_token(GPT, 2048.0), rel=1e-12
    )


def test_recompute_is_one_more_forward_of_the_blocks() -> None:
    blocks = matmul_params(GPT) - 12288 * 51200
    forward = 2 * blocks + attention_flop_per_token(96, 96, 128, 128, 2048) / 3
    more = CONVENTIONS["megatron-2021"](GPT, 2048.0) - CONVENTIONS["megatron-2022"](GPT, 2048.0)
    assert more == pytest.approx(forward, rel=1e-12)


def test_causal_is_half_the_attention() -> None:
    full = CONVENTIONS["matmul"](GPT, 2048.0) - 6 * matmul_params(GPT)
    causal = CONVENTIONS["matmul-causal"](GPT, 2048.0) - 6 * matmul_params(GPT)
    assert causal == full / 2


def test_palm_counts_all_parameters() -> None:
    attention = 12.0 * 96 * 12288 * 2048
    assert CONVENTIONS["palm"](GPT, 2048.0) == 6 * total_params(GPT) + attention
    assert CONVENTIONS["6N"](GPT, 2048.0) == 6 * total_params(GPT)
    assert CONVENTIONS["palm-without-embedding"](GPT, 2048.0) == CONVENTIONS["palm"](GPT, 2048.0)
    untied = replace(GPT, tied=False)
    assert CONVENTIONS["palm-without-embedding"](untied, 2048.0) == CONVENTIONS["palm"](GPT, 2048.0)


@given(st.integers(1, 300), st.integers(1, 300))
def test_keys_behind_a_causal_mask(seq: int, window: int) -> None:
    """Counted one by one: a token meets those before it, and itself by half."""
    by_hand = sum(min(i + 0.5, window) for i in range(seq)) / seq
    assert keys_causal(float(seq), float(window)) == pytest.approx(by_hand)
    assert keys_causal(float(seq), np.inf) == seq / 2
    assert keys_full(float(seq), float(window)) == min(seq, window)


def test_a_window_limits_attention() -> None:
    windowed = replace(GPT, window=1024)
    weights = 6.0 * matmul_params(GPT)
    at = {s: model_flop_per_token(windowed, s) - weights for s in (512.0, 1024.0, 4096.0)}
    assert at[1024.0] == at[4096.0] == 2 * at[512.0]


def test_idle_experts_do_no_work() -> None:
    dense = replace(GPT, experts=Experts(count=1, top_k=1, ffn=49152))
    sparse = replace(GPT, experts=Experts(count=64, top_k=1, ffn=49152))
    router = 6.0 * 96 * 12288 * 63
    assert model_flop_per_token(sparse, 2048.0) == model_flop_per_token(dense, 2048.0) + router


def test_latent_attention_multiplies_its_own_widths() -> None:
    latent = LatentAttention(q_rank=1536, kv_rank=512, nope_dim=128, rope_dim=64, v_dim=128)
    model = replace(GPT, latent=latent)
    attention = model_flop_per_token(model, 2048.0) - 6 * matmul_params(model)
    assert attention == 6.0 * 96 * 96 * (128 + 64 + 128) * 2048


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_column_is_its_rows(name: str) -> None:
    seq = np.array([512.0, 2048.0, 8192.0])
    column = CONVENTIONS[name](GPT, seq)
    np.testing.assert_array_equal(column, [CONVENTIONS[name](GPT, s) for s in seq.tolist()])
