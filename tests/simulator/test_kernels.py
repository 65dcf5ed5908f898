"""The matrix-product law: by hand where overheads are nothing, and in its limits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.simulator.hardware import Peaks
from plan3d.simulator.kernels import (
    WGRAD,
    gemm_alone_s,
    gemm_burst_s,
    gemm_s,
    linear_backward_s,
    linear_forward_s,
    memory_bound_s,
    peak,
)
from tests.simulator.jobs import A100, H100, IDEAL

side = st.sampled_from([1.0, 64.0, 1000.0, 4096.0, 50257.0])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("bf16", 7.0), ("fp8", 7.0), ("fp16", 7.0), ("tf32", 1.0), ("fp32", 1.0)],
)
def test_a_gpu_without_a_type_runs_the_next_wider(kind: str, expected: float) -> None:
    volta = Peaks(fp32=1.0, tf32=0.0, fp16=7.0, bf16=0.0, fp8=0.0)
    assert peak(volta, kind) == expected


def test_its_own_type_comes_first() -> None:
    assert [peak(IDEAL.peaks, k) for k in ("fp32", "tf32", "bf16", "fp8")] == [
        1e12, 8e12, 16e12, 32e12,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "rate"), [("bf16", 16e12), ("fp8", 32e12), ("tf32", 8e12), ("fp32", 1e12)]
)
def test_a_product_by_hand(kind: str, rate: float) -> None:
    """400 tiles on 100 multiprocessors: 4 each, 1 % lost at the tail; 850 + 150 columns of k."""
    m, n = 12800.0, 1024.0
    assert m * n == 400 * 128 * 256
    assert gemm_s(m, n, 850.0, IDEAL, kind) == pytest.approx(2 * m * n * 1000 * 1.01 / rate)


@pytest.mark.parametrize(("kind", "width"), [("fp8", 1), ("bf16", 2), ("tf32", 4), ("fp32", 4)])
def test_a_thin_product_waits_for_memory(kind: str, width: int) -> None:
    quick = replace(IDEAL, peaks=Peaks(fp32=1e20, tf32=1e20, fp16=1e20, bf16=1e20, fp8=1e20))
    moved = width * (10 * 1000 + 2000 * 1000) + 2 * 10 * 2000
    assert gemm_s(10.0, 2000.0, 1000.0, quick, kind) == pytest.approx(moved / 1e12)


def test_a_large_product_reaches_the_sustained_rate() -> None:
    n = 2.0**17
    sustained = 312e12 * 0.8 / 1.05
    assert gemm_s(n, n, n, A100) == pytest.approx(2 * n**3 / sustained, rel=2e-3)


def test_a_tiny_product_costs_its_launch() -> None:
    """And the tail of one wave of tiles, a few per cent here."""
    assert gemm_s(1.0, 1.0, 1.0, A100) == pytest.approx(5e-6, rel=0.05)


def test_fp8_has_an_efficiency_of_its_own() -> None:
    gemm = replace(H100.gemm, overhead_s=0.0, fp8_efficiency=0.4)
    n = 8192.0
    gpu = replace(H100, gemm=gemm)
    assert gemm_s(n, n, n, gpu, "fp8") == pytest.approx(gemm_s(n, n, n, gpu, "bf16"))


def test_a_batch_is_one_launch() -> None:
    alone = gemm_s(4096.0, 4096.0, 4096.0, A100) - 5e-6
    assert gemm_s(4096.0, 4096.0, 4096.0, A100, batch=8.0) < 8 * alone + 5e-6
    ideal = 2 * 8 * 4096.0**3 / (312e12 * 0.8) * 1.05
    found = gemm_s(4096.0, 4096.0, 4096.0, A100, batch=8.0)
    assert found == pytest.approx(ideal * (4096 + 150) / 4096 + 5e-6, rel=0.01)


@given(m=side, n=side, k=side)
def test_backward_is_two_products(m: float, n: float, k: float) -> None:
    data = gemm_s(m, k, n, A100)
    weight = gemm_s(k, n, m, A100, derate=WGRAD)
    assert linear_backward_s(m, n, k, A100, "bf16") == data + weight
    assert linear_forward_s(m, n, k, A100, "bf16") == gemm_s(m, n, k, A100)


@given(m=side, n=side, k=side, batch=st.sampled_from([1.0, 32.0]))
def test_the_law_one_number_at_a_time(m: float, n: float, k: float, batch: float) -> None:
    tiles = batch * m * n / (128 * 256 * 108)
    work = 2 * batch * m * n * (k + 150) * (1 + 0.04 / tiles) / (312e12 * 0.8)
    traffic = 2 * batch * (m * k + k * n + m * n) / (0.72 * 2e12)
    expected = max(work, traffic) * 1.05 + 5e-6
    assert gemm_s(m, n, k, A100, batch=batch) == pytest.approx(expected)


@given(m=side, n=side, k=side)
def test_no_product_beats_the_peak(m: float, n: float, k: float) -> None:
    assert gemm_s(m, n, k, A100) >= 2 * m * n * k / 312e12


def test_memory_bound_by_hand() -> None:
    slow = replace(IDEAL, elementwise_efficiency=0.5, elementwise_overhead_s=0.001)
    assert memory_bound_s(1e9, 3.0, slow) == pytest.approx(1e9 / 0.5e12 + 0.003)


def test_a_column_is_the_scalars() -> None:
    m = np.array([1.0, 500.0, 4096.0])
    found = gemm_s(m, 512.0, 1024.0, A100)
    assert np.array_equal(found, [float(gemm_s(float(k), 512.0, 1024.0, A100)) for k in m])


def test_a_lone_product_feels_the_droop_by_its_length() -> None:
    """1.5 ms feel half of it, a short product nothing, a long one all that training feels."""
    warm = replace(IDEAL, gemm=replace(IDEAL.gemm, droop=0.2))
    half = next(m for m in np.linspace(1e4, 1e6, 100_000)
                if gemm_burst_s(m, 1000.0, 1000.0, IDEAL) >= 1.5e-3)  # fmt: skip
    assert gemm_alone_s(half, 1000.0, 1000.0, warm) == pytest.approx(1.5e-3 * 1.1, rel=1e-3)
    long = gemm_burst_s(1e9, 1e4, 1e4, IDEAL)
    assert gemm_alone_s(1e9, 1e4, 1e4, warm) == pytest.approx(1.2 * long, rel=1e-3)
    assert gemm_s(1e9, 1e4, 1e4, warm) == pytest.approx(1.2 * long)
    short = gemm_burst_s(128.0, 256.0, 128.0, IDEAL)
    assert gemm_alone_s(128.0, 256.0, 128.0, warm) == pytest.approx(short, rel=1e-2)


@given(m=side, n=side, k=side)
def test_a_lone_product_is_never_slower_than_in_training(m: float, n: float, k: float) -> None:
    alone, steady = gemm_alone_s(m, n, k, H100), gemm_s(m, n, k, H100)
    assert gemm_burst_s(m, n, k, H100) + H100.gemm.overhead_s <= alone <= steady
