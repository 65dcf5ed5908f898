from dataclasses import replace

import numpy as np
import pytest

from plan3d.simulator.inference import decode_step_s, kv_cache_bytes
from plan3d.simulator.model import LatentAttention, ModelSpec

LLAMA_7B = ModelSpec(
    layers=32, hidden=4096, heads=32, kv_heads=32, head_dim=128, ffn=11008, vocab=32000
)


def test_llama_7b_keeps_half_a_mebibyte_a_token() -> None:
    """2 x 32 layers x 4,096 numbers x 2 bytes."""
    assert kv_cache_bytes(LLAMA_7B, 1, 1) == 2**19
    assert kv_cache_bytes(LLAMA_7B, 8, 2048) == 8 * 2**30


def test_grouped_queries_keep_less() -> None:
    grouped = replace(LLAMA_7B, kv_heads=8)
    assert kv_cache_bytes(grouped, 4, 1000) == kv_cache_bytes(LLAMA_7B, 4, 1000) / 4


def test_a_window_forgets() -> None:
    model = replace(LLAMA_7B, kv_heads=8, window=4096)
    cache = kv_cache_bytes(model, 1, np.array([1024.0, 4096.0, 32768.0]))
    assert np.array_equal(cache, [2**27, 2**29, 2**29])


def test_latent_attention_keeps_576_numbers() -> None:
    """DeepSeek-V3: 512 + 64 numbers a token and layer."""
    latent = LatentAttention(q_rank=1536, kv_rank=512, nope_dim=128, rope_dim=64, v_dim=128)
    model = replace(LLAMA_7B, latent=latent)
    assert kv_cache_bytes(model, 1, 1) == 576 * 32 * 2


def test_decoding_one_conversation_reads_the_weights() -> None:
    """7e9 x 2 bytes at 2 TB/s: 7 ms, while the arithmetic takes 45 us."""
    assert decode_step_s(7e9, 1, 0.0, 312e12, 2e12) == pytest.approx(7e-3)


def test_a_large_batch_is_bound_by_arithmetic() -> None:
    """Without a cache the turn is at F/B = 156 conversations."""
    batch = np.array([155.0, 157.0])
    step = decode_step_s(7e9, batch, 0.0, 312e12, 2e12)
    assert step == pytest.approx(np.array([7e-3, 14e9 * 157 / 312e12]))


def test_the_cache_is_read_too() -> None:
    assert decode_step_s(7e9, 1, 6e9, 312e12, 2e12) == pytest.approx(10e-3)
