"""Distinct combinations, against a dictionary."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plan3d.simulator.unique import SMALL, unique_rows

Rows = list[tuple[int, int, int]]
value = st.sampled_from([0, 1, 2, 7, 1000, SMALL + 3])
rows = st.lists(st.tuples(value, value, value), min_size=1, max_size=60)


@given(rows)
def test_as_a_dictionary_would(found: Rows) -> None:
    columns = [np.array(c, dtype=np.float64) for c in zip(*found, strict=True)]
    first, inverse = unique_rows(*columns)
    seen: dict[tuple[int, int, int], int] = {}
    for i, row in enumerate(found):
        seen.setdefault(row, i)
    assert sorted(first.tolist()) == sorted(seen.values())
    assert [found[first[k]] for k in inverse] == found


@given(st.lists(st.tuples(*[st.integers(0, 999)] * 4), min_size=1, max_size=40))
def test_products_beyond_the_flag_table(found: list[tuple[int, ...]]) -> None:
    """Four columns of up to a thousand values: codes are ranked again on the way."""
    columns = [np.array(c, dtype=np.float64) for c in zip(*found, strict=True)]
    first, inverse = unique_rows(*columns)
    assert len(first) == len(set(found))
    for column in columns:
        assert np.array_equal(column[first][inverse], column)


def test_many_distinct_values() -> None:
    column = np.arange(2000.0)
    first, inverse = unique_rows(column, column[::-1].copy())
    assert np.array_equal(column[first][inverse], column)
    assert len(first) == 2000


def test_one_combination() -> None:
    first, inverse = unique_rows(np.full(5, 3.0))
    assert first.tolist() == [0]
    assert inverse.tolist() == [0] * 5


def test_no_rows() -> None:
    first, inverse = unique_rows(np.zeros(0), np.zeros(0))
    assert len(first) == len(inverse) == 0
