import numpy as np
import pytest

from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import DEGREES, FIELDS, Layout, LayoutTable, Order, Recompute, Schedule
from tests.simulator.jobs import EXPERT_ROWS, ROWS


def test_a_table_has_the_fields_of_its_rows() -> None:
    assert tuple(LayoutTable.__dataclass_fields__) == FIELDS


def test_there_and_back() -> None:
    rows = [*ROWS, *EXPERT_ROWS]
    table = LayoutTable.of(rows)
    assert [table.row(i) for i in range(len(table))] == rows
    row = table.row(3)
    kinds = type(row.recompute), type(row.schedule), type(row.order), type(row.tp)
    assert kinds == (Recompute, Schedule, Order, int)


def test_rows_are_taken_in_order() -> None:
    table = LayoutTable.of(ROWS)
    assert table.take(np.array([2, 0])).row(0) == ROWS[2]
    assert len(table.take(slice(2, 5))) == 3
    assert len(table.take(table.tp > 4)) == 1


def test_tables_are_put_one_below_the_other() -> None:
    table = LayoutTable.concatenate([LayoutTable.of(ROWS[:2]), LayoutTable.of(ROWS[2:])])
    assert [table.row(i) for i in range(len(table))] == list(ROWS)


def test_columns_broadcast_and_the_rest_is_the_default() -> None:
    table = LayoutTable.build(tp=np.array([1.0, 2.0]), pp=4.0)
    assert [table.row(i) for i in range(2)] == [Layout(tp=1, pp=4), Layout(tp=2, pp=4)]
    assert LayoutTable.build(pp=2.0).row(0) == Layout(pp=2)
    assert len(LayoutTable.build()) == 1


def test_columns_do_not_wrap() -> None:
    assert {getattr(LayoutTable.of(ROWS), name).dtype for name in FIELDS} == {np.dtype("f8")}


def test_experts_take_no_gpus_of_their_own() -> None:
    assert Layout(tp=2, pp=3, dp=4, cp=5, ep=8, etp=2, vpp=7).gpus == 120


@pytest.mark.parametrize("name", DEGREES)
@pytest.mark.parametrize("value", [0, -1, 1.5, 10**8, float("nan"), float("inf")])
def test_a_bad_degree_is_named(name: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"layout: {name} is {value}, but must be a whole number"):
        Layout(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("zero", 4),
        ("zero", -1),
        ("zero", 1.5),
        ("sp", 2),
        ("offload", 1.5),
        ("cp_all_to_all", 2),
        ("recompute", 7),
        ("tp", "a"),
        ("tp", True),
    ],
)
def test_a_bad_choice_is_named(name: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"{name} is {value!r}, but must be a (whole )?number"):
        Layout(**{name: value})  # type: ignore[arg-type]


def test_recompute_layers_below_zero() -> None:
    with pytest.raises(InputError, match="recompute_layers is -1"):
        Layout(recompute_layers=-1)


def test_only_what_is_not_usual_is_shown() -> None:
    assert str(Layout()) == "tp=1 pp=1 dp=1 micro_batch=1"
    layout = Layout(
        tp=8, pp=4, zero=1, shard=8, recompute=Recompute.FULL, order=Order.TP_CP_EP_PP_DP
    )
    shown = str(layout)
    assert shown.startswith("tp=8 pp=4 dp=1 micro_batch=1")
    assert "zero=1" in shown
    assert "recompute=full" in shown
    assert "cp=" not in shown
