"""The attention core: FLOPs by counting, laws by hand."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.simulator.attention import (
    AttentionShape,
    chosen_kernel,
    fused_alone_s,
    fused_backward_s,
    fused_forward_s,
    unfused_backward_s,
    unfused_forward_s,
    visible_keys,
)
from plan3d.simulator.hardware import AttentionLaw
from plan3d.simulator.kernels import gemm_s
from tests.simulator.jobs import A100, IDEAL

LAW = AttentionLaw(
    head_dims=(64.0, 128.0), efficiency=(0.25, 0.5), half_seq=(0.0, 0.0), backward=0.5,
    overhead_s=0.0, occupancy=0.0,
)  # fmt: skip
SHAPE = AttentionShape(batch=2.0, heads=4.0, queries=1024.0, keys=1024.0, qk_dim=128, v_dim=128)
CAUSAL_FLOP = 2 * 2 * 2 * 4 * 1024 * 1024 * 128 / 2
"""Two products, a multiply-add each, 2 sequences of 4 heads; half of it is masked."""


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (("flash3", "flash2"), "flash2"),
        (("unfused",), "unfused"),
        (("flash3",), "unfused"),
        ((), "unfused"),
    ],
)
def test_the_first_kernel_that_the_gpu_has(wanted: tuple[str, ...], expected: str) -> None:
    assert chosen_kernel(wanted, A100) == expected


@given(seq=st.integers(1, 64), window=st.integers(0, 80))
def test_visible_keys_by_counting(seq: int, window: int) -> None:
    """Query i sees i earlier keys and half of itself, or as many as the window has."""
    seen = [min(i + 0.5, window or seq) for i in range(seq)]
    found = visible_keys(replace(SHAPE, keys=float(seq), window=float(window)))
    assert found == pytest.approx(sum(seen) / seq)


def test_fused_by_hand() -> None:
    assert fused_forward_s(SHAPE, LAW, IDEAL) == pytest.approx(CAUSAL_FLOP / (16e12 * 0.5))
    narrow = replace(SHAPE, qk_dim=64, v_dim=64)
    assert fused_forward_s(narrow, LAW, IDEAL) == pytest.approx(CAUSAL_FLOP / 2 / (16e12 * 0.25))


def test_latent_heads_have_a_mean_width() -> None:
    """Keys of 128 and values of 64: 96, between the two entries of the law."""
    latent = replace(SHAPE, v_dim=64)
    expected = CAUSAL_FLOP * 0.75 / (16e12 * 0.375)
    assert fused_forward_s(latent, LAW, IDEAL) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        pytest.param({"half_seq": (1024.0, 1024.0)}, 2.0, id="half the rate at s = s0"),
        pytest.param({"occupancy": 0.64}, 2.0, id="64 tiles on 100 multiprocessors"),
    ],
)
def test_short_sequences_and_few_heads_are_slow(change: dict[str, Any], factor: float) -> None:
    slow = fused_forward_s(SHAPE, replace(LAW, **change), IDEAL)
    assert slow == pytest.approx(factor * CAUSAL_FLOP / (16e12 * 0.5))


def test_fused_overhead() -> None:
    late = replace(LAW, overhead_s=1.0)
    assert fused_forward_s(SHAPE, late, IDEAL) == 1 + fused_forward_s(SHAPE, LAW, IDEAL)


def test_backward_is_five_products_at_half_the_rate() -> None:
    assert fused_backward_s(SHAPE, LAW, IDEAL) == pytest.approx(
        2.5 / 0.5 * CAUSAL_FLOP / (16e12 * 0.5)
    )


def test_a_window_saves_work() -> None:
    """512 of 1,024 keys: 512 - 128 = 384 seen on average, against 512."""
    ratio = fused_forward_s(replace(SHAPE, window=512.0), LAW, IDEAL) / fused_forward_s(
        SHAPE, LAW, IDEAL
    )
    assert ratio == pytest.approx(384 / 512)


def test_unfused_is_its_products_and_its_scores() -> None:
    shape = replace(SHAPE, v_dim=64)
    scores = 8 * 1024 * 1024 * 9.0 / 1e12
    up = gemm_s(1024.0, 1024.0, 128.0, IDEAL, batch=8.0)
    down = gemm_s(1024.0, 64.0, 1024.0, IDEAL, batch=8.0)
    assert unfused_forward_s(shape, IDEAL, 9.0, "bf16") == pytest.approx(up + down + scores)


def test_unfused_backward_is_four_products() -> None:
    """Gradients of values (keys x v), scores (s x s), queries and keys (s x qk)."""
    shape = replace(SHAPE, v_dim=64)
    values = gemm_s(1024.0, 64.0, 1024.0, IDEAL, batch=8.0)
    scores = gemm_s(1024.0, 1024.0, 64.0, IDEAL, batch=8.0)
    operands = 2 * gemm_s(1024.0, 128.0, 1024.0, IDEAL, batch=8.0)
    moved = 8 * 1024 * 1024 * 9.0 / 1e12
    found = unfused_backward_s(shape, IDEAL, 9.0, "bf16")
    assert found == pytest.approx(values + scores + operands + moved)


def test_grouped_queries_read_fewer_keys() -> None:
    """Of what 1,024 positions of overhead cost, half is keys and values: an eighth of it stays."""
    law = replace(LAW, half_seq=(1024.0, 1024.0), kv_share=0.5)
    core = CAUSAL_FLOP / (16e12 * 0.5)
    assert fused_forward_s(SHAPE, law, IDEAL) == pytest.approx(2 * core)
    grouped = replace(SHAPE, kv_per_head=1 / 8)
    assert fused_forward_s(grouped, law, IDEAL) == pytest.approx((1 + 0.5 + 0.5 / 8) * core)
    assert fused_forward_s(grouped, LAW, IDEAL) == pytest.approx(core), "nothing to save on"


def test_each_step_of_a_ring_is_a_kernel() -> None:
    """Half the rate for a kernel of all keys: a fifth for each of four kernels; four launches."""
    law = replace(LAW, half_seq=(1024.0, 1024.0), overhead_s=3.0)
    ring = replace(SHAPE, steps=4.0)
    expected = CAUSAL_FLOP / (16e12 * 0.5) * 5 + 4 * 3.0
    assert fused_forward_s(ring, law, IDEAL) == pytest.approx(expected)


def test_clocks_droop_for_attention_between_products() -> None:
    """By half, for the kernel and not for its launch; a lone kernel feels nothing of it."""
    law = replace(LAW, overhead_s=3.0)
    warm = replace(IDEAL, gemm=replace(IDEAL.gemm, droop=0.5))
    burst = CAUSAL_FLOP / (16e12 * 0.5)
    assert fused_forward_s(SHAPE, law, warm) == pytest.approx(1.5 * burst + 3)
    assert fused_alone_s(SHAPE, law, warm) == pytest.approx(burst + 3)
    # five products at half the rate, where forward has two
    assert fused_backward_s(SHAPE, LAW, warm) == pytest.approx(1.5 * burst * 2.5 / 0.5)
