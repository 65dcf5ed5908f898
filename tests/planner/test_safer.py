"""Preferring the safer of two plans that are as fast as each other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plan3d.planner.grouping import NEAR
from plan3d.planner.safer import safest_first

TIMES = arrays(np.float64, st.integers(1, 20), elements=st.floats(1.0, 1.03))


def test_a_percent_of_time_for_more_than_a_percent_of_risk() -> None:
    order, time_s = np.array([0, 1]), np.array([1.0, 1.009])
    assert safest_first(order, time_s, np.array([0.10, 0.08])).tolist() == [1, 0]
    assert safest_first(order, time_s, np.array([0.10, 0.099])).tolist() == [0, 1]


def test_a_plan_that_is_clearly_slower_stays_behind() -> None:
    order, time_s = np.array([0, 1]), np.array([1.0, 1.0 + 2 * NEAR])
    assert safest_first(order, time_s, np.array([0.9, 0.0])).tolist() == [0, 1]


def test_certain_failure_is_no_division_by_zero() -> None:
    order, time_s = np.array([0, 1]), np.array([1.0, 1.001])
    assert safest_first(order, time_s, np.array([1.0, 0.5])).tolist() == [1, 0]
    assert safest_first(order, time_s, np.array([1.0, 1.0])).tolist() == [0, 1]


def test_no_plans() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert len(safest_first(none, np.zeros(0), np.zeros(0))) == 0


@given(TIMES, st.integers(0, 2**32 - 1))
def test_only_the_first_place_changes_and_only_to_a_safer_near_tie(
    time_s: np.ndarray, seed: int
) -> None:
    risk = np.random.default_rng(seed).random(len(time_s))
    order = np.argsort(time_s, kind="stable")
    found = safest_first(order, time_s, risk)
    first = found[0]
    assert time_s[first] <= (1 + NEAR) * time_s.min()
    assert risk[first] <= risk[order[0]]
    assert [i for i in found if i != first] == [i for i in order if i != first]


@given(TIMES)
def test_equal_risks_change_nothing(time_s: np.ndarray) -> None:
    order = np.argsort(time_s, kind="stable")
    assert (safest_first(order, time_s, np.full(len(time_s), 0.3)) == order).all()
