"""The documents' own figures, to the digits that they print."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.simulator.textbook import (
    bubble_fraction,
    parameters,
    recompute_factor,
    training_flop,
    training_time_s,
    uneven_bubble_fraction,
    utilisation,
)

DAY_S = 86400.0
A100 = 312e12
GPT3 = {"params": 175e9, "tokens": 300e9, "gpus": 1024, "peak_flop_per_s": A100}


@pytest.mark.parametrize(
    ("hidden", "layers", "expected"),
    [
        (4096, 32, 6_704_594_944),
        (5120, 40, 12_910_592_000),
        (6656, 60, 32_323_665_920),
        (8192, 80, 64_948_797_440),
    ],
)
def test_llama_parameters_as_printed(hidden: int, layers: int, expected: int) -> None:
    assert parameters(layers, hidden, 32000) == expected


def test_gpt3_has_175_billion_parameters() -> None:
    assert parameters(96, 12288, 50257) == pytest.approx(175e9, rel=2e-3)


def test_a_column_of_models_is_the_models() -> None:
    hidden, layers = np.array([4096.0, 8192.0]), np.array([32.0, 80.0])
    expected = [6_704_594_944, 64_948_797_440]
    assert np.array_equal(parameters(layers, hidden, 32000), expected)


def test_gpt3_utilisation() -> None:
    """8 x 300e9 x 175e9 / (1024 x 312e12 x 35 days): 0.435, printed as 0.44."""
    assert utilisation(**GPT3, time_s=35 * DAY_S) == pytest.approx(0.435, abs=5e-4)


def test_llama_utilisation_is_not_what_the_document_prints() -> None:
    """The lecture prints "around 0.3"; its own formula says 0.63, and 0.47 without recompute."""
    run = {"params": 65e9, "tokens": 1.4e12, "gpus": 2048, "peak_flop_per_s": A100}
    assert utilisation(**run, time_s=21 * DAY_S) == pytest.approx(0.63, abs=5e-3)
    assert utilisation(**run, time_s=21 * DAY_S, recompute=0) == pytest.approx(0.47, abs=5e-3)


def test_training_time_of_gpt3() -> None:
    """Narayanan et al., section 5.1: 140 TFLOP/s on each of 1,024 A100 takes 34 days."""
    days = training_time_s(**GPT3, utilisation=140e12 / A100) / DAY_S
    assert days == pytest.approx(34, abs=0.5)


@given(share=st.floats(0, 1), u=st.floats(0.01, 1))
def test_utilisation_inverts_the_time(share: float, u: float) -> None:
    time_s = training_time_s(**GPT3, utilisation=u, recompute=share)
    assert utilisation(**GPT3, time_s=time_s, recompute=share) == pytest.approx(u)


def test_eight_is_six_and_a_forward_pass() -> None:
    assert training_flop(1.0, 1.0) == 8
    assert training_flop(1.0, 1.0, recompute=0) == 6
    assert recompute_factor(1.0) == pytest.approx(8 / 6)


def test_measured_checkpointing_costs_less_than_a_whole_forward_pass() -> None:
    """18.95 -> 22.58 minutes: 19 % more, where recomputing everything would be 33 %."""
    assert recompute_factor(0) < 22.58 / 18.95 < recompute_factor(1)


@pytest.mark.parametrize(
    ("stages", "micro_batches", "chunks", "expected"),
    [
        pytest.param(1, 8, 1, 0.0, id="no pipeline, no bubble"),
        pytest.param(4, 1, 1, 3.0, id="one micro-batch: stages work one after the other"),
        pytest.param(4, 12, 1, 0.25, id="three of twelve"),
        pytest.param(4, 12, 3, 1 / 12, id="three chunks: a third of it"),
    ],
)
def test_bubble_by_hand(stages: int, micro_batches: int, chunks: int, expected: float) -> None:
    assert bubble_fraction(stages, micro_batches, chunks) == pytest.approx(expected)


def test_more_micro_batches_make_the_bubble_vanish() -> None:
    assert bubble_fraction(8, 1e9) < 1e-8


@given(
    t=st.lists(st.floats(0.1, 10), min_size=1, max_size=8),
    m=st.integers(1, 100),
)
def test_uneven_stages_idle_more(t: list[float], m: int) -> None:
    idle = uneven_bubble_fraction(max(t), sum(t), len(t), m)
    assert idle >= bubble_fraction(len(t), m) - 1e-9


@given(n=st.integers(1, 64), m=st.integers(1, 256))
def test_equal_stages_are_the_uniform_case(n: int, m: int) -> None:
    assert uneven_bubble_fraction(1.0, n, n, m) == pytest.approx(bubble_fraction(n, m))


def test_uneven_bubble_is_a_played_pipeline() -> None:
    """Flow shop by hand: stages of 1, 3, 2 s, four micro-batches. Last one leaves at 6 + 3 x 3."""
    times, micro_batches = [1.0, 3.0, 2.0], 4
    free = [0.0] * len(times)
    for _ in range(micro_batches):
        done = 0.0
        for stage, t in enumerate(times):
            done = free[stage] = max(done, free[stage]) + t
    assert done == 15
    ideal = micro_batches * sum(times) / len(times)
    idle = uneven_bubble_fraction(max(times), sum(times), len(times), micro_batches)
    assert idle == pytest.approx(done / ideal - 1)
