"""Traffic by hand, and the ZeRO paper's 2, 2 and 3 Psi."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.simulator.textbook_traffic import (
    Split,
    all_gather_bytes,
    all_reduce_bytes,
    boundary_bytes,
    chain_bytes,
    gradient_sync_bytes,
    ring_attention_bytes,
    tensor_parallel_bytes,
    zero_traffic_bytes,
)


def rings_by_hand(shards: int) -> tuple[int, int]:
    """Shards that one rank sends in a ring all-gather and all-reduce, by playing the rings."""
    have = [{rank} for rank in range(shards)]
    gather = 0
    while any(len(h) < shards for h in have):
        passed = [(rank - gather) % shards for rank in range(shards)]
        for rank in range(shards):
            have[(rank + 1) % shards].add(passed[rank])
        gather += 1
    return gather, 2 * gather  # the reduce-scatter is the same ring, the other way round


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_rings(n: int) -> None:
    gather, reduce = rings_by_hand(n)
    assert all_gather_bytes(float(n), n) == pytest.approx(gather)
    assert all_reduce_bytes(float(n), n) == pytest.approx(reduce)


@given(size=st.floats(0, 1e12), n=st.integers(1, 10**6))
def test_all_reduce_is_reduce_scatter_and_all_gather(size: float, n: int) -> None:
    assert all_reduce_bytes(size, n) == all_gather_bytes(size, n) + all_gather_bytes(size, n)


def test_zero_sends_two_two_and_three_psi() -> None:
    stages = np.array([0.0, 1.0, 2.0, 3.0])
    psi = zero_traffic_bytes(1.0, stages, np.inf, number_bytes=1)
    assert np.array_equal(psi, [2.0, 2.0, 2.0, 3.0])
    assert not np.any(zero_traffic_bytes(1.0, stages, 1))


def test_zero_1_sends_what_ddp_sends() -> None:
    assert zero_traffic_bytes(7e9, 1, 64) == all_reduce_bytes(14e9, 64)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, 150.0, id="all-reduce of 100 bytes on 4 ranks"),
        pytest.param({"compression": 0.1}, 15.0, id="compressed to a tenth"),
        pytest.param({"every": 10}, 15.0, id="lazy: every tenth step"),
        pytest.param({"neighbours": 1}, 100.0, id="decentralised: one peer"),
        pytest.param({"neighbours": 2, "every": 4}, 50.0, id="two peers every fourth step"),
    ],
)
def test_sparse_synchronisation(options: dict[str, float], expected: float) -> None:
    assert gradient_sync_bytes(100.0, 4, **options) == pytest.approx(expected)


def test_one_rank_has_no_neighbours() -> None:
    assert gradient_sync_bytes(100.0, 1, neighbours=1) == 0


@given(n=st.integers(2, 10**5))
def test_decentralised_traffic_does_not_grow_with_the_ranks(n: int) -> None:
    assert gradient_sync_bytes(1.0, n, neighbours=1) == 1.0


def test_boundary_of_gpt3() -> None:
    """2,048 x 12,288 numbers of 2 bytes: 48 MiB."""
    assert boundary_bytes(1, 2048, 12288) == 48 * 2**20


def test_tensor_parallelism_is_four_all_reduces_a_layer() -> None:
    assert tensor_parallel_bytes(10, 100.0, 2) == 10 * 4 * 100
    assert tensor_parallel_bytes(10, 100.0, 2, recompute=1) == 10 * 6 * 100
    assert tensor_parallel_bytes(10, 100.0, 1) == 0


def test_ring_attention_passes_six_tensors() -> None:
    assert ring_attention_bytes(1, 100.0, 4) == 6 * 75
    assert ring_attention_bytes(1, 100.0, 1) == 0


WIDTHS = (100.0, 10.0, 1.0)
"""Bytes of W1 x, W2 W1 x and y."""


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        pytest.param(("row", "column", "column"), 10 + 2 * 1, id="partition 1 of the lecture"),
        pytest.param(("row", "row", "column"), 100 + 2 * 1, id="partition 2 of the lecture"),
        pytest.param(("row", "column", "row"), 2 * 10 + 1, id="all-reduce in the middle"),
        pytest.param(("column", "row", "column"), 2 * 100 + 2 * 1, id="the worst start"),
    ],
)
def test_two_partitions_send_different_amounts(splits: tuple[Split, ...], expected: float) -> None:
    assert chain_bytes(splits, WIDTHS, np.inf) == expected


def test_a_row_column_pair_is_megatrons_mlp() -> None:
    """Two matrices, one all-reduce, nothing between."""
    assert chain_bytes(("row", "column"), (400.0, 100.0), 8) == all_reduce_bytes(100.0, 8)
