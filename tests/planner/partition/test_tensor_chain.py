"""Row or column for each matrix of a chain: by both methods, and by looking at everything."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan3d.planner.partition.tensor_chain import CUTS, chain_dp, chain_ilp, costed, textbook_chains
from plan3d.simulator.errors import InputError

SHRINKING = (100.0, 10.0, 1.0)
"""Bytes of W1 x, W2 W1 x and y. With 2 ranks each collective costs half of them, per pass."""


def test_both_textbook_partitions_by_hand() -> None:
    """Row, column, column: 10 / 2 + 2 * 1 / 2; row, row, column: 100 / 2 + 2 * 1 / 2."""
    found = textbook_chains(SHRINKING, 2)
    assert found["partition 1"].sent_bytes == 6
    assert found["partition 2"].sent_bytes == 51


def test_the_better_of_the_textbooks_is_found() -> None:
    for chain in (chain_dp(SHRINKING, 2), chain_ilp(SHRINKING, 2)):
        assert chain == textbook_chains(SHRINKING, 2)["partition 1"]


def test_neither_textbook_partition_is_best_for_growing_outputs() -> None:
    """Rows throughout: all-gathers of 1, 10 and 100 bytes; the textbooks end in an all-reduce."""
    growing = SHRINKING[::-1]
    for chain in (chain_dp(growing, 2), chain_ilp(growing, 2)):
        assert chain.sent_bytes == 55.5
        assert chain.splits == ("row", "row", "row")
    assert min(c.sent_bytes for c in textbook_chains(growing, 2).values()) > 55.5


def test_megatrons_pair_is_found() -> None:
    assert chain_dp((400.0, 100.0), 8).splits == ("row", "column")


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=7))
@settings(max_examples=30, deadline=None)
def test_both_are_the_best_of_everything(widths: list[int]) -> None:
    sizes = [float(w) for w in widths]
    ways = product(CUTS, repeat=len(sizes))
    best = min(costed(way, sizes, 8).sent_bytes for way in ways)
    assert chain_dp(sizes, 8).sent_bytes == pytest.approx(best)
    assert chain_ilp(sizes, 8).sent_bytes == pytest.approx(best)


@pytest.mark.parametrize("widths", [[], [1.0, 0.0], [-1.0]])
def test_outputs_without_a_size(widths: list[float]) -> None:
    for solve in (chain_dp, chain_ilp):
        with pytest.raises(InputError, match="one size above 0"):
            solve(widths, 2)


def test_a_textbook_chain_has_three_matrices() -> None:
    with pytest.raises(InputError, match="3 matrices, not 2"):
        textbook_chains((1.0, 2.0), 2)
