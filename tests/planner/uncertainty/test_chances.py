"""Chances: by hand, and the directions in which they must move."""

import math

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
from plan3d.planner.uncertainty.fit import platt

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


def test_shift_and_slope_act_on_the_odds() -> None:
    # Odds of 1 at the limit: e^2 with a shift of 2, whatever the slope.
    found = chance(shift=2.0, slope=3.0)(np.array([80 * GIB]), 80 * GIB)[0]
    assert found / (1 - found) == pytest.approx(math.exp(2))


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


def test_platt_scaling_finds_the_odds_that_were_used() -> None:
    random = np.random.default_rng(3)
    raw = random.uniform(0.02, 0.98, 20_000)
    true = 1 / (1 + np.exp(-(0.5 + 2 * np.log(raw / (1 - raw)))))
    shift, slope = platt(raw, random.random(len(raw)) < true)
    assert shift == pytest.approx(0.5, abs=0.1)
    assert slope == pytest.approx(2, abs=0.15)


def test_platt_scaling_of_outcomes_without_a_mistake_is_finite() -> None:
    shift, slope = platt(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True]))
    assert math.isfinite(shift)
    assert 1 < slope < math.inf


def test_platt_scaling_starts_from_chances_that_say_nothing() -> None:
    """Where every chance is next to none, a plain Newton step would go far off."""
    raw = np.array([1e-9] * 5 + [1e-4] * 5)
    shift, slope = platt(raw, np.array([False] * 5 + [True] * 5))
    odds = shift + slope * np.log(raw)
    assert (odds[:5] < 0).all()
    assert (odds[5:] > 0).all()


def test_platt_scaling_never_turns_the_order_round() -> None:
    _, slope = platt(np.array([0.1, 0.2, 0.8, 0.9]), np.array([True, True, False, False]))
    assert slope > 0
