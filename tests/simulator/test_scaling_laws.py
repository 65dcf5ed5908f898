import pytest

from plan3d.simulator.scaling_laws import (
    PETAFLOP_DAY,
    budget_flop,
    chinchilla_flop,
    chinchilla_parameters,
    kaplan_parameters,
    optima,
    tokens_within,
)


def test_chinchilla_itself() -> None:
    """Gopher's budget of 5.76e23 FLOP: about 70B parameters and 1.4T tokens."""
    params = chinchilla_parameters(5.76e23)
    assert params == pytest.approx(70e9, rel=0.02)
    assert tokens_within(5.76e23, params) == pytest.approx(1.4e12, rel=0.02)


def test_twenty_tokens_per_parameter() -> None:
    params = chinchilla_parameters(1e24)
    assert tokens_within(1e24, params) / params == pytest.approx(20)
    assert chinchilla_flop(params) == pytest.approx(1e24)


def test_ten_times_the_compute() -> None:
    """Hoffmann: 3.16 times both. Kaplan: 5.4 times the size, 1.9 times the data."""
    assert chinchilla_parameters(1e25) / chinchilla_parameters(1e24) == pytest.approx(10**0.5)
    size = kaplan_parameters(1e25) / kaplan_parameters(1e24)
    data = tokens_within(1e25, kaplan_parameters(1e25)) / tokens_within(
        1e24, kaplan_parameters(1e24)
    )
    assert size == pytest.approx(5.37, abs=0.005)
    assert data == pytest.approx(1.86, abs=0.005)


def test_kaplan_at_one_petaflop_day() -> None:
    assert kaplan_parameters(PETAFLOP_DAY) == pytest.approx(1.3e9)


def test_a_brain_scale_model() -> None:
    """100T parameters want 2,000T tokens: 6 x 1e14 x 2e15 = 1.2e30 FLOP."""
    assert chinchilla_flop(1e14) == pytest.approx(1.2e30)


def test_what_hours_buy() -> None:
    """1,000 s at 40 % of 1e15 FLOP/s."""
    assert budget_flop(1000.0, 1e15, 0.4) == pytest.approx(4e17)


def test_both_laws_spend_the_whole_budget() -> None:
    chinchilla, kaplan = optima(1.2e23)
    assert (chinchilla.law, kaplan.law) == ("chinchilla", "kaplan")
    assert chinchilla.params == pytest.approx(10**10.5)
    assert chinchilla.tokens_per_parameter == pytest.approx(20)
    for one in (chinchilla, kaplan):
        assert 6 * one.params * one.tokens == pytest.approx(1.2e23)
