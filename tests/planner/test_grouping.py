import numpy as np

from plan3d.planner.grouping import best, grouped, settings, ungrouped
from plan3d.simulator.layout import Layout, LayoutTable, Recompute, Schedule
from tests.planner.jobs import job

JOB = job(8)


def plans(*rows: tuple[Layout, float], top: int = 10) -> list[tuple[str, float, int]]:
    """Return the plans of layouts with a score each; the memory is 10 bytes for all."""
    table = LayoutTable.of(layout for layout, _ in rows)
    score = np.array([score for _, score in rows])
    ranked = best(grouped(JOB, ungrouped(table, score, np.full(len(rows), 10.0)), top), top)
    return [
        (str(ranked.layouts.row(i)), float(ranked.score[i]), int(ranked.variants[i]))
        for i in range(len(ranked.score))
    ]


PLAIN = Layout(dp=8)
SHARDED = Layout(dp=8, zero=3, shard=8)
OTHER = Layout(dp=4, pp=2)


def test_near_ties_are_one_plan_and_the_simplest_is_shown() -> None:
    assert plans((SHARDED, 1.000), (PLAIN, 1.009), (OTHER, 1.004)) == [
        (str(OTHER), 1.004, 1),
        (str(PLAIN), 1.009, 2),
    ]


def test_variants_further_apart_are_two_plans() -> None:
    assert plans((PLAIN, 1.05), (SHARDED, 1.0)) == [
        (str(SHARDED), 1.0, 1),
        (str(PLAIN), 1.05, 1),
    ]


def test_only_the_best_are_kept() -> None:
    rows = [(Layout(dp=8, micro_batch=i), float(i)) for i in range(1, 50)]
    assert plans(*rows, top=3) == [(str(layout), score, 1) for layout, score in rows[:3]]


def test_a_group_reaches_beyond_the_last_plan_kept() -> None:
    """The only plan wanted is shown at 1.009, and its group at 1.0095 counts in full."""
    slow = Layout(dp=8, zero=2, shard=8)
    far = [(Layout(dp=8, micro_batch=i), 2.0) for i in range(2, 5)]
    assert plans((SHARDED, 1.0), (PLAIN, 1.009), (slow, 1.0095), *far, top=1) == [
        (str(PLAIN), 1.009, 3)
    ]


def test_equal_scores_rank_by_memory_then_by_order() -> None:
    table = LayoutTable.of([Layout(dp=1), Layout(dp=2), Layout(dp=4)])
    ranked = best(ungrouped(table, np.ones(3), np.array([2.0, 1.0, 2.0])), 3)
    assert ranked.layouts.dp.tolist() == [2, 1, 4]


def test_nothing_is_nothing() -> None:
    assert plans() == []


def test_settings_count_departures() -> None:
    layouts = [
        Layout(tp=2, sp=1, dp=4),  # the software's default is sp
        Layout(tp=2, dp=4),
        Layout(dp=8, zero=1, shard=8),
        Layout(dp=8, zero=1, shard=4),
        Layout(pp=2, dp=4, schedule=Schedule.GPIPE),
        Layout(dp=8, recompute=Recompute.BLOCK, recompute_layers=1),
    ]
    assert settings(JOB, LayoutTable.of(layouts)).tolist() == [0, 1, 1, 3, 1, 2]
