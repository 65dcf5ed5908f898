import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau

from plan3d.planner.validation.scores import balanced_accuracy, error_score, kendall_tau, regret
from plan3d.simulator.numeric import Floats


def test_errors_by_hand() -> None:
    score = error_score(np.array([1.1, 0.8, 1.0]), np.array([1.0, 1.0, 1.0]))
    assert score.n == 3
    assert score.mape == pytest.approx(0.1)
    assert score.bias == pytest.approx(-0.1 / 3)
    assert score.p90 == pytest.approx(0.18)  # 0.1 + 0.8 of the way to 0.2


def test_tau_by_hand() -> None:
    order = np.array([1.0, 2.0, 3.0, 4.0])
    assert kendall_tau(order, order) == 1
    assert kendall_tau(order, -order) == -1
    assert kendall_tau(order, np.ones(4)) == 0


@given(arrays(np.float64, (2, 12), elements=st.integers(0, 5).map(float)))
def test_tau_is_scipys(columns: Floats) -> None:
    x, y = columns
    if len(set(x)) > 1 and len(set(y)) > 1:
        assert kendall_tau(x, y) == pytest.approx(kendalltau(x, y).statistic)


def test_regret_is_the_cost_of_the_pick() -> None:
    assert regret(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.5, 4.0])) == 0.5
    assert regret(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 0


def test_balanced_accuracy() -> None:
    actual = np.array([True, True, False, False, False, False])
    predicted = np.array([True, False, False, False, False, True])
    assert balanced_accuracy(predicted, actual) == (1 / 2 + 3 / 4) / 2
    assert balanced_accuracy(predicted, np.zeros(6, bool)) is None
