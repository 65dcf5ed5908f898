"""Tables of a full report: by hand from the step of 2 s."""

from dataclasses import replace

from plan3d.cli.question import Question
from plan3d.cli.section_tables import (
    causes_table,
    changes_table,
    layouts_table,
    losses_table,
    signed,
    stages_table,
)
from plan3d.planner.result import Plan
from plan3d.planner.sensitivity import Change
from plan3d.simulator.layout import Recompute

GIB = 2.0**30


def slower(plan: Plan) -> Plan:
    """0.2 s more bubble, 0.1 s less communication: 5 % slower."""
    time = replace(plan.estimate.time, bubble_s=0.6, tp_comm_s=0.15)
    estimate = replace(plan.estimate, time=time)
    return replace(plan, rank=2, estimate=estimate, layout=replace(plan.layout, micro_batch=2))


def test_losses_are_over_the_best(plan: Plan) -> None:
    found = losses_table([plan, slower(plan)])
    assert found.head[:4] == ("#", "layout", "step", "in all")
    assert found.head[4:] == ("pipeline bubble", "TP communication")
    assert found.rows[0][2:] == ("2 s", "0", "0", "0")
    assert found.rows[1][2:] == ("2.1 s", "+5.0 %", "+10.0 %", "-5.0 %")


def test_losses_of_nothing() -> None:
    assert losses_table([]).rows == ()


def test_a_runner_up_loses_by_what_it_has_more(question: Question, plan: Plan) -> None:
    (row,) = causes_table(question.job, [plan, slower(plan)]).rows
    assert row[0] == "2"
    assert row[2] == "pipeline bubble, +200 ms"
    assert " -> " in row[3]


def test_signs() -> None:
    assert [signed(value) for value in (0.0123, -0.5, 0.0004, 0.0)] == [
        "+1.2 %",
        "-50.0 %",
        "0",
        "0",
    ]


def test_stages_add_up(plan: Plan) -> None:
    (row,) = stages_table([plan.estimate.memory], 80 * GIB).rows
    assert row == ("1", "8.0", "8.0", "12.0", "6.0", "0.0", "6.0", "40.0", "50.0 %")


def test_layouts_have_a_column_for_each_axis_that_differs(plan: Plan) -> None:
    found = layouts_table([plan, replace(plan, layout=replace(plan.layout, vpp=2, pp=2))])
    assert found.head[6:] == ("tp", "pp", "dp", "vpp", "micro batch")
    assert found.rows[0] == ("1", "2", "0.0", "50.0", "40.0", "", "2", "4", "2", "1", "1")
    one = layouts_table(
        [plan, replace(plan, layout=replace(plan.layout, recompute=Recompute.NONE))]
    )
    assert one.head[-1] == "recompute"
    assert one.words == (len(one.head) - 1,)


def test_changes_say_what_or_why_not(plan: Plan) -> None:
    there = Change(
        axis="tp", before=2, after=4, layout=plan.layout, estimate=plan.estimate,
        time_s={"bubble_s": 0.5, "matmul_s": -0.3}, memory_bytes={"activations_bytes": -2 * GIB},
        refused="",
    )  # fmt: skip
    none = Change(
        axis="recompute", before=1, after=2, layout=None, estimate=None, time_s={},
        memory_bytes={}, refused="not so",
    )  # fmt: skip
    first, second = changes_table([there, none], plan.estimate).rows
    assert first[:4] == ("tp 2 → 4", "+10.0 %", "50.0 %", "-2.0")
    assert second == ("recompute selective → full", "no", "", "", "not so")
