"""Intervals from grouped residuals: by hand, their coverage, and what must not change them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.planner.uncertainty.conformal import (
    COVERAGE,
    ENOUGH,
    NARROWEST,
    Band,
    band,
    suite_weights,
    weighted_quantile,
)
from plan3d.simulator.errors import InputError

UNION = Band(low=-0.5, high=0.25, runs=100, suites=20)


def named(*parts: tuple[str, list[float]]) -> tuple[np.ndarray, list[str]]:
    """Residuals and their suites."""
    values = [value for _, part in parts for value in part]
    return np.array(values), [name for name, part in parts for _ in part]


def like_others(count: int) -> list[tuple[str, list[float]]]:
    return [(f"suite {i}", [-1.0] * 5 + [1.0] * 5) for i in range(count)]


ODD = ("odd", [-1.0] * 5 + [1.0] * 4 + [3.0])


def test_nine_suites_are_the_fewest_with_a_conformal_interval() -> None:
    assert ENOUGH == 9  # 9/10 of the weight is on suites seen, 1/10 on the one to come


def test_the_correction_counts_suites() -> None:
    # Twenty suites: 0.945 of the weight must be inside, and nine tenths of a suite are 0.045.
    most = ("odd", [-1.0] + [3.0] * 9)
    twenty = band(*named(*like_others(19), most))
    assert twenty.high == pytest.approx(1.0, abs=2 * NARROWEST)
    assert (twenty.suites, twenty.runs) == (20, 200)
    # Fifteen: 0.95 of it must (0.96 by the correction), and nine tenths of a suite are 0.06.
    assert band(*named(*like_others(14), most)).high == 3.0


def test_the_worst_run_of_nine_suites_is_not_the_interval() -> None:
    """All of the weight would have to be inside: one run of ninety, or of nine thousand."""
    for times in (1, 100):
        found = band(*named(*like_others(8), (ODD[0], ODD[1] * times)))
        assert (found.high, found.suites) == (1.0, 9)


def test_nine_single_runs_span_all_of_them() -> None:
    values = [float(v) for v in range(-4, 5)]
    found = band(*named(*((str(v), [v]) for v in values)))
    assert (found.low, found.high) == (-4.0, 4.0)


def test_a_suite_counts_once_however_large() -> None:
    small = named(*like_others(9), ODD)
    large = named(*like_others(9), (ODD[0], ODD[1] * 50))
    assert band(*small).low == band(*large).low
    assert band(*small).high == band(*large).high
    assert suite_weights(large[1]).sum() == pytest.approx(1)


def test_new_suites_are_covered_as_often_as_promised() -> None:
    """Unlike runs pooled: most runs are of one quiet suite, and a new one is like the others."""
    random, trials, suites = np.random.default_rng(7), 1500, 20
    inside = pooled = 0
    for _ in range(trials):
        means = random.normal(0, 0.3, suites + 1)
        sizes = np.array([400, *[10] * (suites - 1)])
        names = np.repeat(np.arange(suites).astype(str), sizes)
        values = np.repeat(means[:-1], sizes) + random.normal(0, 0.05, sizes.sum())
        new = means[-1] + random.normal(0, 0.05)
        found = band(values, names.tolist())
        inside += found.low <= new <= found.high
        low, high = np.quantile(values, [0.05, 0.95])
        pooled += low <= new <= high
    noise = 4 * math.sqrt(COVERAGE * (1 - COVERAGE) / trials)
    assert COVERAGE - noise <= inside / trials <= COVERAGE + 1 / (suites + 1) + noise
    assert pooled / trials < COVERAGE - noise


@given(st.integers(0, ENOUGH - 1))
def test_too_few_suites_are_wider_than_all_together(count: int) -> None:
    found = band(*named(*((str(i), [0.01 * i, 0.02]) for i in range(count))), UNION)
    wanted = 1 + (ENOUGH - count) / ENOUGH
    assert found.inflation == pytest.approx(wanted)
    assert found.low == pytest.approx(wanted * UNION.low)
    assert found.high == pytest.approx(wanted * UNION.high)


def test_few_suites_that_are_worse_than_the_others_are_wider_still() -> None:
    found = band(*named(("a", [-2.0]), ("b", [1.0])), UNION)
    assert found.low < -2.0
    assert found.high > 1.0


@given(st.integers(9, 40), st.integers(2, 4))
def test_the_same_errors_from_more_suites_are_not_wider(count: int, times: int) -> None:
    values = np.random.default_rng(count).normal(0, 1, (count, 5))
    few = named(*((str(i), v.tolist()) for i, v in enumerate(values)))
    many = named(*((f"{i} {t}", v.tolist()) for i, v in enumerate(values) for t in range(times)))
    one, more = band(*few), band(*many)
    assert one.low <= more.low < more.high <= one.high


@given(st.floats(-3, 3))
def test_a_bias_moves_the_interval_and_leaves_its_width(shift: float) -> None:
    values, suites = named(*like_others(9), ODD)
    plain, moved = band(values, suites), band(values + shift, suites)
    assert moved.low == pytest.approx(plain.low + shift)
    assert moved.factor == pytest.approx(plain.factor)


def test_a_quantile_of_too_little_weight_is_infinite() -> None:
    assert weighted_quantile(np.array([1.0, 2.0]), np.array([0.4, 0.4]), 0.9) == np.inf


def test_nothing_to_learn_from() -> None:
    with pytest.raises(InputError, match="no run to learn"):
        band(np.zeros(0), [])


@pytest.mark.parametrize(
    "wrong", [{"low": 1.0}, {"high": math.nan}, {"runs": 1}, {"inflation": 0.5}, {"low": -math.inf}]
)
def test_a_band_that_cannot_be(wrong: dict[str, float]) -> None:
    good = {"low": -0.1, "high": 0.1, "runs": 10, "suites": 2, "inflation": 1.0}
    with pytest.raises(InputError, match="not an interval"):
        Band(**(good | wrong))  # type: ignore[arg-type]
