"""What every searcher owes: a good answer, the same for a seed, each layout once, in the budget."""

from math import inf, nan

import numpy as np
import pytest

from plan3d.planner.constraints import parse_fix
from plan3d.planner.searchers import bayesian
from plan3d.planner.searchers.bayesian import Bayesian
from plan3d.planner.searchers.boxes import closed_form, event_simulation, recorded
from plan3d.planner.searchers.grid import grid_from, grid_of
from plan3d.planner.searchers.outer import Outer
from plan3d.planner.searchers.protocols import History, Searcher, Trial
from plan3d.planner.searchers.residual import Residual, residual
from plan3d.planner.searchers.table import SEARCHERS
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.legality import reasons
from tests.planner.searchers.spaces import JOB, QUICK, Watched, small

every = pytest.mark.parametrize("name", QUICK)


def exhaustive_s() -> float:
    """The fastest of all, one by one."""
    box = closed_form(JOB)
    trials = [box(small().table.row(i)) for i in range(len(small()))]
    return min(t.time_s for t in trials if t.ok)


@every
def test_half_the_space_finds_the_optimum_for_half_the_seeds(name: str) -> None:
    """Half of the layouts, drawn evenly, hold the best half of the time: all do as well."""
    budget = len(small()) // 2
    best = exhaustive_s()
    found = [SEARCHERS[name](small(), closed_form(JOB), budget=budget, seed=s) for s in range(4)]
    assert all(h.best is not None and h.best.time_s >= best * (1 - 1e-12) for h in found)
    hits = sum(h.trials_to(best * (1 + 1e-9)) is not None for h in found)
    assert hits >= (1 if name == "random" else 2)


@every
def test_a_large_enough_budget_proves_the_optimum(name: str) -> None:
    box = Watched()
    found = SEARCHERS[name](small(), box, budget=len(small()) + 10, seed=3)
    assert found.stopped == "exhausted"
    assert found.evaluations == len(small()) == len(box.asked)
    assert found.best is not None
    assert found.best.time_s == exhaustive_s()


@every
def test_the_budget_is_kept_and_nothing_is_tried_twice(name: str) -> None:
    box = Watched()
    found = SEARCHERS[name](small(), box, budget=25, seed=7)
    assert (found.stopped, found.evaluations, found.budget, found.seed) == ("budget", 25, 25, 7)
    assert max(box.asked.values()) == 1
    assert list(box.asked) == [t.layout for t in found.trials]
    flags = reasons(JOB.model, JOB.work, JOB.cluster, JOB.gpus, LayoutTable.of(box.asked))
    assert not flags.any()


@every
def test_a_seed_says_it_all(name: str) -> None:
    def run(seed: int) -> History:
        return SEARCHERS[name](small(), closed_form(JOB), budget=20, seed=seed)

    assert run(5) == run(5)
    assert name == "residual" or run(5).trials != run(6).trials


@every
def test_failures_are_recorded_and_survived(name: str) -> None:
    """Of every four micro-batches one raises, one says nan, one runs out of memory."""
    plain = closed_form(JOB)

    def box(layout: Layout, /) -> Trial:
        if layout.micro_batch == 1:
            raise OSError("the node is gone")
        if layout.micro_batch == 2:
            return Trial(layout=layout, time_s=nan)
        if layout.micro_batch == 4:
            return Trial(layout=layout, time_s=1e-9, over_bytes=inf)
        return plain(layout)

    found = SEARCHERS[name](small(), box, budget=len(small()), seed=1)
    by = {mb: [t for t in found.trials if t.layout.micro_batch == mb] for mb in (1, 2, 4)}
    assert {t.message for t in by[1]} == {"OSError: the node is gone"}
    assert {t.message for t in by[2]} == {"no usable time: nan s"}
    assert all(t.out_of_memory and not t.ok for t in by[4])
    assert found.best is not None
    assert found.best.layout.micro_batch >= 8


@every
def test_where_nothing_runs_there_is_no_best(name: str) -> None:
    def box(layout: Layout, /) -> Trial:
        return Trial(layout=layout, over_bytes=2.0**30)

    found = SEARCHERS[name](small(), box, budget=15, seed=0)
    assert found.best is None
    assert found.evaluations == 15
    assert found.trials_to(1e9) is None


@every
def test_one_layout_is_a_space(name: str) -> None:
    one = grid_from(LayoutTable.of([Layout(dp=8)]), predicted_s=np.array([1.0]))
    found = SEARCHERS[name](one, Watched(), budget=3, seed=0)
    assert [t.layout for t in found.trials] == [Layout(dp=8)]


@every
@pytest.mark.parametrize(
    ("budget", "seed", "says"),
    [(0, 0, "budget is 0"), (2.5, 0, "budget is 2.5"), (5, -1, "seed is -1"), (5, True, "seed is")],
)
def test_bad_budgets_and_seeds(name: str, budget: int, seed: int, says: str) -> None:
    with pytest.raises(InputError, match=says):
        SEARCHERS[name](small(), Watched(), budget=budget, seed=seed)


def test_a_warm_start_comes_first() -> None:
    warm = [small().table.row(i) for i in small().foreseen(4).tolist()]
    found = Bayesian(first=4)(small(), closed_form(JOB), budget=12, seed=0)
    assert [t.layout for t in found.trials[:4]] == warm


def informed() -> list[Searcher]:
    return [residual, Residual(first=3)]


@pytest.mark.parametrize("searcher", informed())
def test_residual_learns_a_trend_that_the_closed_form_lacks(searcher: Searcher) -> None:
    """Tensor parallelism truly costs 40 % more a doubling: the order changes, few trials tell."""
    plain = closed_form(JOB)

    def box(layout: Layout, /) -> Trial:
        found = plain(layout)
        return Trial(layout=layout, time_s=found.time_s * layout.tp**0.5)

    truth = [box(small().table.row(i)).time_s for i in range(len(small()))]
    found = searcher(small(), box, budget=20, seed=0)
    assert found.best is not None
    assert found.best.time_s <= 1.02 * min(truth)


@pytest.mark.parametrize("name", ["residual", "bayesian", "warm"])
def test_what_knows_the_closed_form_needs_predictions(name: str) -> None:
    with pytest.raises(InputError, match="this grid has n"):
        SEARCHERS[name](grid_from(small().table), Watched(), budget=3, seed=0)


def test_inner_choices_are_the_best_of_the_closed_form() -> None:
    """Of layouts with the same outer axes, none that fits is predicted to be faster."""
    grid = grid_of(JOB, constraints=(parse_fix("schedule=1f1b"),))
    assert grid.predicted_s is not None
    assert grid.filled is not None
    outer = Outer(grid, bilevel=True, relaxed=False)
    rng = np.random.default_rng(0)
    for row in rng.integers(len(grid), size=40).tolist():
        best = outer.row(outer.params(row), {})
        axes = grid.codes[:, : len(outer.axes)]
        alike = np.flatnonzero((axes == axes[row]).all(axis=1) & (grid.filled <= 1))
        assert best in alike
        assert grid.predicted_s[best] == grid.predicted_s[alike].min()
    assert len(alike) > 1


def test_an_inner_choice_that_ran_out_of_memory_gives_way_to_a_smaller_one() -> None:
    two = LayoutTable.of([Layout(dp=8, zero=zero) for zero in (0, 1, 2, 3)])
    filled = np.array([0.9, 0.8, 0.95, 0.7])
    grid = grid_from(two, predicted_s=np.array([1.0, 2.0, 3.0, 4.0]), filled=filled)
    outer = Outer(grid, bilevel=True, relaxed=False)
    tried: dict[int, Trial] = {}
    for zero in (0, 1, 3):
        row = outer.row({}, tried)
        assert grid.table.row(row).zero == zero
        tried[row] = Trial(layout=grid.table.row(row), over_bytes=1.0)


def test_the_gaussian_process_proposes() -> None:
    """Its first ten trials are random; the rest are found by it."""
    pytest.importorskip("torch")
    found = SEARCHERS["gp"](small(), closed_form(JOB), budget=16, seed=0)
    assert found.best is not None
    assert found.best.time_s <= 1.3 * exhaustive_s()
    dead = SEARCHERS["gp"](small(), lambda x: Trial(layout=x, over_bytes=1e9), budget=13, seed=0)
    assert dead.best is None


def test_the_gaussian_process_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bayesian, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="needs torch; install it"):
        SEARCHERS["gp"](small(), Watched(), budget=3, seed=0)


def test_the_event_simulation_is_a_black_box() -> None:
    """A single stage has no pipeline to play: both models say the same."""
    flat, deep = Layout(dp=8), Layout(pp=4, dp=2, vpp=1)
    assert event_simulation(JOB)(flat) == closed_form(JOB)(flat)
    assert event_simulation(JOB)(deep).ok


def test_a_recorded_layout_counts_by_its_fastest_run() -> None:
    slow, fast = (Trial(layout=Layout(dp=8), time_s=s) for s in (2.0, 1.0))
    failed = Trial(layout=Layout(dp=8), over_bytes=inf)
    box = recorded([failed, slow, fast, slow, failed])
    assert box(Layout(dp=8)) == fast
    with pytest.raises(InputError, match="was not recorded"):
        box(Layout(tp=8))
