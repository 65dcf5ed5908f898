from dataclasses import replace

from plan3d.planner.validation.known import known
from plan3d.planner.validation.runs import Runs, published_runs

ONE = next(run for run in published_runs().rows if run.version)
BARE = replace(ONE, version="", allreduce_gb_s=None, node_allreduce_gb_s=None, notes="", ref="")


def test_a_published_run_without_its_surroundings_is_taken_for_the_one_that_ships() -> None:
    assert known(Runs(rows=(BARE,))) == (Runs(rows=(ONE,)), 1)


def test_another_run_is_left_as_it_is() -> None:
    assert ONE.iter_s is not None
    others = (
        replace(BARE, id="mine"), replace(BARE, iter_s=ONE.iter_s * 1.01),
        replace(BARE, micro_batch=3), replace(BARE, version="of mine"), ONE,
        replace(BARE, allreduce_gb_s=1.0), replace(BARE, node_allreduce_gb_s=1.0),
    )  # fmt: skip
    assert known(Runs(rows=others)) == (Runs(rows=others), 0)
