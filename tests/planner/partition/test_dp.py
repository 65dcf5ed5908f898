"""The DP against looking at everything, and by hand."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.planner.partition import dp, ilp
from plan3d.planner.partition.bounds import cheapest
from plan3d.planner.partition.labels import LabelBook
from plan3d.planner.partition.problem import Problem
from plan3d.simulator.errors import InputError, NothingFeasibleError
from tests.planner.partitions import large, problem, shortest

GIB = 2.0**30


def optimum(asked: Problem) -> float:
    """What the DP answers, checked against its own claims; infinite where nothing fits."""
    try:
        found = dp.solve(asked)
    except NothingFeasibleError:
        return np.inf
    assert found.proven
    assert found.assignment.fits
    assert found.bound_s == pytest.approx(found.assignment.step_time_s, rel=1e-9)
    return found.assignment.step_time_s


@pytest.mark.parametrize("working", [True, False])
@pytest.mark.parametrize("kinds", [1, 2, 6])
def test_the_dp_is_the_best_of_everything(kinds: int, working: bool) -> None:
    """40 random problems of each sort, 240 in all; some have no answer."""
    without = 0
    for seed in range(40):
        asked = problem(seed, stages=2 + seed % 3, kinds=kinds, working=working)
        expected = shortest(asked)
        assert optimum(asked) == pytest.approx(expected, rel=1e-12), seed
        without += np.isinf(expected)
    assert without < 20


def test_one_stage_takes_all_layers() -> None:
    asked = problem(3, stages=1, kinds=3)
    assert optimum(asked) == shortest(asked)


def test_a_layer_a_stage() -> None:
    asked = problem(5, stages=6, kinds=3)
    assert optimum(asked) == shortest(asked)


def test_more_memory_is_never_slower() -> None:
    asked = problem(7, layers=12, stages=4)
    times = []
    for factor in (1.0, 1.2, 1.5, 3.0):
        room = replace(asked.devices, capacity_bytes=factor * asked.devices.capacity_bytes)
        times.append(optimum(replace(asked, devices=room)))
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_dp_and_the_ilp_agree_on_96_layers_and_16_stages(noise: float) -> None:
    asked = large(layers=96, stages=16, noise=noise)
    found = ilp.solve(asked)
    assert found.proven
    assert found.searcher == "ilp, HiGHS"
    assert found.assignment.step_time_s == pytest.approx(optimum(asked), rel=1e-9)


def test_the_threshold_trades_the_slowest_stage_against_the_sum() -> None:
    """Two windows of two layers, by hand: the even split costs 3 + 3, the other 2 + 4 - 1."""
    times = np.full((2, 4, 4), np.inf)
    times[0, 0, 2], times[1, 2, 2] = 3.0, 3.0
    times[0, 0, 1], times[1, 1, 3] = 1.0, 4.0
    assert cheapest(times, 0.5) == ((1, 3), 0.5 * 4 + 5)
    assert cheapest(times, 1.0) in (((1, 3), 9.0), ((2, 2), 9.0))
    assert cheapest(times, 2.0) == ((2, 2), 2 * 3 + 6)
    assert cheapest(np.full((2, 4, 4), np.inf), 1.0) is None


def test_of_equal_answers_the_most_even_is_taken() -> None:
    """Five layers of 1 s for two stages, and a third of 4 s with one: any split costs 9 + 4 w."""
    times = np.full((3, 6, 6), np.inf)
    times[:2] = np.where(np.arange(6) > 0, np.arange(6.0), np.inf)
    times[2, 5, 1] = 4.0
    found = cheapest(times, 10.0)
    assert found is not None
    assert found[1] == 10 * 4 + 9
    assert sorted(found[0]) == [1, 2, 3]


def test_labels_of_two_layers_by_hand() -> None:
    """Options keep (5, 1) and take (2, 3): the pairs (10, 4), (6, 5) and (2, 6) stay."""
    asked = problem(0, layers=2, stages=1, kinds=1)
    layers = replace(
        asked.layers,
        options=("none", "full"),
        forward_s=np.ones(2),
        backward_s=np.array([[1.0, 2], [1, 2]]),
        kept_bytes=np.array([[5.0, 1], [5, 1]]),
        working_bytes=np.zeros((2, 2)),
        host_bytes=np.zeros((2, 2)),
    )
    book = LabelBook(layers=layers)
    labels = book.at(book.kinds(0, 2), 0.0)
    assert labels.kept_bytes.tolist() == [2.0, 6, 10]
    assert labels.time_s.tolist() == [6.0, 5, 4]
    assert labels.choice.sum(axis=1).tolist() == [2, 1, 0]
    room, flying = np.array([1.0, 2, 11, 12, 40]), np.array([1.0, 1, 2, 2, 2])
    kinds = book.kinds(0, 2)
    assert book.fastest(kinds, room, flying, np.zeros(5)).tolist() == [np.inf, 6, 6, 5, 4]
    # A loss of 8 bytes leaves -7, -6, 3, 4 and 32.
    loss = np.full(5, 8.0)
    assert book.fastest(kinds, room, flying, loss).tolist() == [np.inf, np.inf, np.inf, 6, 4]


def test_a_limit_that_nothing_meets_names_stage_and_shortfall() -> None:
    """States of 3 layers are 12 GiB; the first stage holds 2 x 3 of 1 GiB besides: 18 of 17."""
    asked = problem(1, layers=6, stages=2, kinds=1, working=False)
    layers = replace(
        asked.layers, state_bytes=np.full(6, 4 * GIB), kept_bytes=np.full((6, 3), 1 * GIB)
    )
    devices = replace(
        asked.devices, fixed_bytes=np.zeros(2), capacity_bytes=np.full(2, 17.0 * GIB),
        loss_bytes=np.zeros(2),
    )  # fmt: skip
    with pytest.raises(NothingFeasibleError) as error:
        dp.solve(replace(asked, layers=layers, devices=devices))
    assert "stage 1 of 2 (layers 1 to 3) misses its 17.0 GiB by 1.00 GiB" in str(error.value)


def test_coupled_stages_are_not_the_dps() -> None:
    for asked in (problem(0, stages=2, chunks=2), problem(0, host=True)):
        with pytest.raises(InputError, match="--searcher ilp"):
            dp.solve(asked)
