from dataclasses import replace

import numpy as np
import pytest

from plan3d.simulator.inference import decode_step_s, decoding, kv_cache_bytes
from plan3d.simulator.model import LatentAttention, ModelSpec
from plan3d.simulator.parameters import total_params
from tests.simulator.jobs import A100

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


ROUND = replace(A100, memory_bytes=40e9, context_bytes=0.0, hbm_bytes_per_s=1e12, name="round")


def test_decoding_by_hand() -> None:
    """5.2e9 parameters are 10.3 GB; a conversation of 2,048 tokens keeps 1.07 GB, 27 fit beside."""
    one, most = decoding(LLAMA_7B, ROUND, 2048)
    weights = 2 * total_params(LLAMA_7B)
    cache = 2048 * 512 * 1024
    assert one.gpus == most.gpus == 1
    assert one.step_s == pytest.approx((weights + cache) / 1e12)
    assert most.batch == (40e9 - weights) // cache == 27
    assert most.step_s == pytest.approx((weights + 27 * cache) / 1e12)
    assert most.tokens_per_s_per_gpu == pytest.approx(27 / most.step_s)
    assert (one.limit, most.limit) == ("reading weights", "reading keys and values")


def test_a_model_too_large_for_one_gpu_takes_the_fewest_that_hold_it() -> None:
    small = replace(ROUND, memory_bytes=5e9)
    one, _ = decoding(LLAMA_7B, small, 2048)
    assert one.gpus == 3  # 11.4 GB on GPUs of 5
    assert one.cache_bytes == 2048 * 512 * 1024


def test_arithmetic_limits_short_conversations() -> None:
    """Each conversation of 8 tokens keeps 4 MiB: the weights are read for 6,000 of them at once."""
    _, most = decoding(LLAMA_7B, ROUND, 8)
    assert most.batch > 6000
    assert most.limit == "arithmetic"
    assert most.step_s == most.compute_s
