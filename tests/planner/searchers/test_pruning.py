"""What the closed form rules out, and how far off it may be."""

import numpy as np
import pytest

from plan3d.planner.searchers.grid import Grid, grid_from, joined
from plan3d.planner.searchers.pruning import pruned
from plan3d.simulator.errors import InputError, NothingFeasibleError
from plan3d.simulator.layout import Layout, LayoutTable
from tests.planner.searchers.spaces import small


def grid(filled: list[float], predicted_s: list[float]) -> Grid:
    """Layouts of tp 1, 2, 4, ..."""
    return grid_from(
        LayoutTable.of([Layout(tp=2**i) for i in range(len(filled))]),
        predicted_s=np.array(predicted_s),
        filled=np.array(filled),
    )


def kept(found: Grid) -> list[float]:
    """Values of tp that are left."""
    return found.table.tp.tolist()


def test_far_over_the_memory_or_far_slower_goes() -> None:
    some = grid([1.3, 1.2, 0.9, 0.5, 0.5], [1.0, 1.0, 2.0, 2.9, 3.1])
    assert kept(pruned(some)) == [2, 4, 8]
    assert kept(pruned(some, memory=1.0)) == [4, 8]
    assert kept(pruned(some, memory=2.0, time=1.0)) == [1, 2, 4]


def test_where_nothing_fits_the_times_of_what_may_fit_count() -> None:
    assert kept(pruned(grid([1.2, 1.1, 1.4], [1.0, 1.6, 0.1]))) == [1]


def test_nothing_near_the_memory_is_left_out_of_hand() -> None:
    with pytest.raises(NothingFeasibleError, match=r"more than 1\.25 times the memory"):
        pruned(grid([2.0, 3.0], [1.0, 1.0]))


def test_wrong_margins_and_grids() -> None:
    with pytest.raises(InputError, match="must be 1 or more"):
        pruned(small(), time=0.9)
    with pytest.raises(InputError, match="this grid has none"):
        pruned(grid_from(small().table))


def test_grids_join_with_their_predictions() -> None:
    one, two = grid([0.5], [1.0]), grid([0.5, 0.6], [7.0, 8.0])
    both = joined([one, two])
    assert kept(both) == [1, 2]
    assert both.predicted_s is not None
    assert both.predicted_s.tolist() == [1.0, 8.0]
    with pytest.raises(InputError, match="others have none"):
        joined([one, grid_from(two.table)])
