"""Points and layouts: every point is legal, every layout has a point."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan3d.planner.searchers.grid import grid_from, grid_of
from plan3d.planner.space import space
from plan3d.simulator.errors import NothingFeasibleError
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.legality import reasons
from tests.planner.jobs import as_tuples
from tests.planner.searchers.spaces import JOB, small


def test_a_grid_is_the_space_of_the_search() -> None:
    grid = grid_of(JOB, predicted=False)
    rows = [row for chunk in space(JOB).chunks() for row in as_tuples(chunk)]
    assert sorted(as_tuples(grid.table)) == sorted(rows)


def test_every_layout_has_a_point_of_its_own() -> None:
    assert [small().decode(p) for p in small().points] == list(range(len(small())))


@settings(deadline=None)
@given(st.lists(st.floats(-0.5, 1.5), min_size=20, max_size=20))
def test_every_point_is_a_legal_layout(values: list[float]) -> None:
    point = values[: len(small().axes)]
    row = small().decode(point)
    one = LayoutTable.of([small().table.row(row)])
    assert reasons(JOB.model, JOB.work, JOB.cluster, JOB.gpus, one)[0] == 0
    first = small().points[:, 0]
    assert abs(first[row] - point[0]) <= np.abs(first - point[0]).min() + 1e-12


def test_neighbours_differ_in_a_step() -> None:
    grid = small()
    for row in range(len(grid)):
        near = grid.neighbours(row)
        assert near
        assert row not in near
        steps = np.abs(grid.codes[list(near)] - grid.codes[row])
        assert (steps == 1).any(axis=1).all()


def test_steps_to_neighbours_lead_everywhere() -> None:
    seen, front = {0}, [0]
    while front:
        new = {r for row in front for r in small().neighbours(row)} - seen
        seen |= new
        front = sorted(new)
    assert len(seen) == len(small())


def test_degrees_are_spaced_by_their_exponents() -> None:
    grid = grid_from(LayoutTable.of([Layout(tp=t, dp=16 // t) for t in (16, 1, 4, 2)]))
    assert grid.axes == ("tp", "dp")
    assert grid.points[:, 0].tolist() == [0.0, 0.25, 0.5, 1.0]
    assert [grid.table.row(i).tp for i in range(4)] == [1, 2, 4, 16]


def test_an_empty_table_is_no_grid() -> None:
    with pytest.raises(NothingFeasibleError):
        grid_from(LayoutTable.of([]))
