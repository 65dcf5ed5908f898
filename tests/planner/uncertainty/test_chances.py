"""Chances: by hand, and the directions in which they must move."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.planner.uncertainty.chances import (
    DRAWS,
    GRID,
    SMOOTH,
    MemoryChance,
    chance_near_best,
    grid,
)
from plan3d.planner.uncertainty.fit import RANGES, likeliest

GIB = 2.0**30
EXACT = (0.0,) * GRID


def chance(**parts: object) -> MemoryChance:
    return MemoryChance(**({"residuals": {"a": EXACT}, "shift": 0.0, "slope": 1.0} | parts))  # type: ignore[arg-type]


def test_an_exact_model_at_the_limit_fails_every_second_time() -> None:
    assert chance()(np.array([80 * GIB]), 80 * GIB)[0] == pytest.approx(0.5)


def test_an_exact_model_a_kernel_above_the_limit() -> None:
    over = np.array([80 * GIB * math.exp(SMOOTH)])
    assert chance()(over, 80 * GIB)[0] == pytest.approx(1 / (1 + math.exp(-1)))


def test_each_suite_counts_once() -> None:
    low, high = (-1.0,) * GRID, (1.0,) * GRID  # measured e times as much, and as little
    both = chance(residuals={"a": low, "b": high})
    assert both(np.array([80 * GIB]), 80 * GIB)[0] == pytest.approx(0.5)


def test_a_shift_is_memory_that_was_not_predicted() -> None:
    found = chance(shift=math.log(1.25))(np.array([64 * GIB]), 80 * GIB)[0]
    assert found == pytest.approx(0.5)


def test_a_slope_stretches_the_residuals() -> None:
    wide = chance(residuals={"a": tuple(2 * np.linspace(-0.3, 0.5, GRID))})
    stretched = chance(residuals={"a": tuple(np.linspace(-0.3, 0.5, GRID))}, slope=2.0)
    memory = np.array([60 * GIB, 90 * GIB])
    assert stretched(memory, 80 * GIB) == pytest.approx(wide(memory, 80 * GIB))


@given(st.floats(1, 400), st.floats(1.001, 3), st.floats(8, 200))
def test_more_memory_is_riskier_and_more_capacity_safer(
    memory_gib: float, factor: float, capacity_gib: float
) -> None:
    model = chance(residuals={"a": tuple(np.linspace(-0.3, 0.5, GRID))}, shift=0.7, slope=2.0)
    memory = np.array([memory_gib, factor * memory_gib]) * GIB
    small = model(memory, capacity_gib * GIB)
    large = model(memory, factor * capacity_gib * GIB)
    assert 0 <= small[0] <= small[1] <= 1
    assert (large <= small).all()
    assert large[1] == pytest.approx(small[0])  # only their ratio counts


def test_a_lone_plan_is_the_best() -> None:
    assert chance_near_best(np.array([1.0]), [EXACT]) == 1.0


def test_an_exact_model_knows_which_plan_is_near() -> None:
    assert chance_near_best(np.array([1.0, 0.96]), [EXACT]) == 1.0
    assert chance_near_best(np.array([1.0, 0.94]), [EXACT]) == 0.0


def test_two_equal_plans_with_uniform_errors() -> None:
    """The difference of two errors uniform in [-a, a] is triangular in [-2a, 2a]."""
    a, margin = 0.2, math.log(1.05)
    wanted = 1 - (2 * a - margin) ** 2 / (8 * a**2)
    found = chance_near_best(np.array([1.0, 1.0]), [tuple(np.linspace(-a, a, GRID))])
    assert found == pytest.approx(wanted, abs=4 * math.sqrt(wanted * (1 - wanted) / DRAWS))


def test_suites_are_drawn_as_often_as_each_other() -> None:
    time_s, wide = np.array([1.0, 1.0]), tuple(np.linspace(-0.5, 0.5, GRID))
    one = chance_near_best(time_s, [wide])
    assert chance_near_best(time_s, [wide, EXACT]) == pytest.approx((one + 1) / 2)


@given(st.floats(1e-3, 1e3))
def test_the_unit_of_time_does_not_matter(unit: float) -> None:
    time_s, wide = np.array([1.0, 1.01, 1.03]), tuple(np.linspace(-0.1, 0.1, GRID))
    assert chance_near_best(unit * time_s, [wide]) == chance_near_best(time_s, [wide])


def test_a_grid_is_of_equal_shares() -> None:
    assert grid(np.arange(101) / 100)[GRID // 2] == pytest.approx(0.5)
    assert grid(np.array([0.1])) == (0.1,) * GRID


def outcomes(shift: float, spread: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted needs over a capacity of 1, and whether a normal error more ran out."""
    random = np.random.default_rng(3)
    need = random.uniform(0.5, 1.5, n)
    return need, need * np.exp(shift + random.normal(0, spread, n)) > 1


def test_what_is_missing_is_found_from_who_ran_out() -> None:
    need, happened = outcomes(0.1, 0.1, 20_000)
    standard = (np.arange(GRID) + 0.5) / GRID
    normal = tuple(NormalDist(0, 0.1).inv_cdf(p) for p in standard)
    shift, slope = likeliest(chance(residuals={"a": normal}), need, np.ones_like(need), happened)
    assert shift == pytest.approx(0.1, abs=0.01)
    # The kernel of a scale of 3 % is 5 % wide by itself: less is left to the residuals.
    assert slope == pytest.approx(
        math.sqrt(1 - (SMOOTH * math.pi / math.sqrt(3) / 0.1) ** 2), abs=0.06
    )


def test_outcomes_without_a_mistake_leave_finite_numbers() -> None:
    need, happened = outcomes(0.0, 0.0, 40)
    shift, slope = likeliest(chance(), need, np.ones_like(need), happened)
    assert abs(shift) < 0.05
    assert slope == pytest.approx(1, abs=0.01)  # exact residuals: it changes nothing


def test_outcomes_that_contradict_the_prediction_stay_in_range() -> None:
    need, happened = outcomes(0.0, 0.0, 40)
    spread = chance(residuals={"a": tuple(np.linspace(-0.1, 0.1, GRID))})
    found = likeliest(spread, need, np.ones_like(need), ~happened)
    assert all(low <= x <= high for x, (low, high) in zip(found, RANGES, strict=True))
