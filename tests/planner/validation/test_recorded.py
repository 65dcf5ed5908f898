from dataclasses import replace

from plan3d.planner.validation.recorded import recorded_runs, with_records
from plan3d.planner.validation.runs import Runs, published_runs


def test_records_are_of_published_runs_and_change_nothing_else() -> None:
    published, recorded = published_runs().rows, recorded_runs().rows
    told = [run for run in recorded if run.version]
    assert len(told) == 1018
    assert {run.suite for run in told} == {"ultra"}
    nothing = {"version": "", "allreduce_gb_s": None, "allgather_gb_s": None,
               "node_allreduce_gb_s": None}  # fmt: skip
    assert tuple(replace(run, **nothing) for run in recorded) == published  # type: ignore[arg-type]


def test_a_record_by_hand() -> None:
    """Job 14102904 of the table: the first row of the sweep."""
    one = next(run for run in recorded_runs().rows if run.id == "ultra-0001")
    assert one.version == "after the fix of its pipelines"
    assert (one.allreduce_gb_s, one.allgather_gb_s, one.node_allreduce_gb_s) == (
        458.23, 263.2, 457.0,
    )  # fmt: skip


def test_a_run_that_only_has_the_id_of_a_published_one_has_no_record() -> None:
    one = next(run for run in published_runs().rows if run.id == "ultra-0001")
    others = Runs(rows=(replace(one, micro_batch=3), replace(one, id="mine")))
    assert with_records(others) == others
