"""The integer program against looking at everything, alone and with what couples the stages."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from plan3d.planner.partition import dp, ilp, program
from plan3d.planner.partition.problem import FREE, Coupling, Problem
from plan3d.planner.partition.settings import one_setting
from plan3d.simulator.errors import InputError, NothingFeasibleError
from tests.planner.partitions import large, problem, shortest, shortest_by_setting


def optimum(asked: Problem, coupling: Coupling = FREE, *, assisted: bool = True) -> float:
    """What the program answers and proves; infinite where nothing fits."""
    try:
        found = ilp.solve(asked, coupling, assisted=assisted)
    except NothingFeasibleError:
        return np.inf
    assert found.proven
    assert found.assignment.fits
    return found.assignment.step_time_s


@pytest.mark.parametrize("assisted", [True, False])
@pytest.mark.parametrize("kinds", [1, 2, 6])
def test_the_ilp_is_the_best_of_everything(kinds: int, assisted: bool) -> None:
    """Column form and path form, with and without the DP's help: 210 problems."""
    for seed in range(35):
        asked = problem(seed, stages=2 + seed % 2, kinds=kinds, working=seed % 4 > 0)
        assert optimum(asked, assisted=assisted) == pytest.approx(shortest(asked), rel=1e-9), seed


@pytest.mark.parametrize("kinds", [1, 4])
def test_chunks_share_their_device(kinds: int) -> None:
    """Interleaved and V-shaped, two chunks on each of 2 or 3 devices."""
    for seed in range(20):
        asked = problem(seed, layers=8, stages=2 + seed % 2, chunks=2, kinds=kinds)
        assert optimum(asked) == pytest.approx(shortest(asked), rel=1e-9), seed


def test_stages_share_their_nodes_host_memory() -> None:
    bound = 0
    for seed in range(25):
        asked = problem(seed, stages=2 + seed % 2, kinds=1 + seed % 6, host=True)
        expected = shortest(asked)
        assert optimum(asked) == pytest.approx(expected, rel=1e-9), seed
        bound += expected > shortest(replace(asked, host=None))
    assert bound > 0, "host memory never mattered"


def test_one_setting_for_all_stages() -> None:
    for seed in range(25):
        asked = problem(seed, stages=2 + seed % 2, kinds=1 + seed % 6)
        expected = shortest_by_setting(asked, None)
        assert optimum(asked, Coupling(one_recompute=True)) == pytest.approx(expected, rel=1e-9)
        found = one_setting(asked)
        assert (np.inf if found is None else found[0].step_time_s) == expected


@pytest.mark.parametrize("most", [1, 2])
def test_few_kinds_of_stages(most: int) -> None:
    for seed in range(10):
        asked = problem(seed, stages=2 + seed % 2, kinds=1 + seed % 6)
        expected = shortest_by_setting(asked, most)
        found = optimum(asked, Coupling(max_kinds=most), assisted=seed % 2 > 0)
        assert found == pytest.approx(expected, rel=1e-9), seed


def test_no_time_leaves_the_best_known_and_marks_it() -> None:
    asked = large(layers=96, stages=16, heavy=6)
    found = ilp.solve(asked, Coupling(max_kinds=3), time_limit_s=0.0)
    assert not found.proven
    assert found.note
    assert found.assignment.fits
    assert found.gap > 0
    assert found.bound_s >= dp.solve(asked).bound_s * (1 - 1e-9)


def test_a_solver_that_fails_leaves_the_dps_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("licence expired\ntrace")

    monkeypatch.setattr(program, "solver_within", fail)
    asked = large(layers=24, stages=4)
    found = ilp.solve(asked)
    assert found.assignment == dp.solve(asked).assignment
    assert found.note == "the solver failed (licence expired): this is the DP's answer"
    assert found.proven  # by the DP
    assert found.searcher == "dp"


def test_without_highs_cbc_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.pulp.HiGHS, "available", lambda _: False)
    asked = large(layers=24, stages=4)
    found = ilp.solve(asked)
    assert found.searcher == "ilp, CBC"
    assert found.proven
    assert found.assignment.step_time_s == pytest.approx(dp.solve(asked).bound_s)


def test_an_answer_at_the_time_limit_is_not_called_optimal() -> None:
    """PuLP's status says "Optimal" there, too."""
    asked = large(layers=126, stages=16, heavy=6)
    found = ilp.solve(asked, assisted=False, time_limit_s=0.3)
    best = dp.solve(asked).bound_s
    assert found.bound_s <= best * (1 + 1e-9)
    assert found.proven == (found.gap < 1e-9)
    assert found.note == "" or found.note.startswith("time limit reached")


def test_nothing_fits() -> None:
    asked = problem(0)
    none = replace(asked.devices, capacity_bytes=np.zeros(3))
    for coupling in (FREE, Coupling(one_recompute=True), Coupling(max_kinds=2)):
        with pytest.raises(NothingFeasibleError, match="misses its"):
            ilp.solve(replace(asked, devices=none), coupling)
    chunked = problem(0, stages=2, chunks=2)
    none = replace(chunked.devices, capacity_bytes=np.zeros(2))
    with pytest.raises(NothingFeasibleError, match="chunks of a device"):
        ilp.solve(replace(chunked, devices=none))


def test_a_time_limit_below_nothing() -> None:
    with pytest.raises(InputError, match="time limit"):
        ilp.solve(problem(0), time_limit_s=-1.0)
