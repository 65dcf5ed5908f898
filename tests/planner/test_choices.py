import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.planner.choices import ABSENT, divisors, expand
from plan3d.planner.constraints import parse_limit
from plan3d.simulator.layout import LayoutTable


@given(n=st.integers(1, 5000))
def test_divisors(n: int) -> None:
    assert divisors(n).tolist() == [d for d in range(1, n + 1) if n % d == 0]


@pytest.mark.parametrize(("n", "count"), [(720_720, 240), (999_983, 2), (999_983**2, 3)])
def test_divisors_of_large_numbers(n: int, count: int) -> None:
    """720,720 = 2^4 3^2 5 7 11 13 has 5 * 3 * 2^4 divisors; 999,983 is prime."""
    assert len(divisors(n)) == count


TABLE = LayoutTable.build(tp=np.array([1.0, 2.0]))


def test_each_row_is_repeated_for_its_choices() -> None:
    wide = expand(TABLE, pp=np.array([[1.0, 2.0], [4.0, ABSENT]]))
    assert list(zip(wide.tp, wide.pp, strict=True)) == [(1, 1), (1, 2), (2, 4)]


def test_axes_that_belong_together() -> None:
    wide = expand(TABLE, vpp=np.array([[1.0, 2.0]]), pp=np.array([[1.0], [3.0]]))
    assert list(zip(wide.tp, wide.pp, wide.vpp, strict=True)) == [
        (1, 1, 1), (1, 1, 2), (2, 3, 1), (2, 3, 2),
    ]  # fmt: skip


def test_constraints_drop_choices() -> None:
    narrow = expand(TABLE, (parse_limit("pp<=2"),), pp=np.array([[1.0, 2.0, 4.0]]))
    assert narrow.pp.tolist() == [1, 2, 1, 2]
