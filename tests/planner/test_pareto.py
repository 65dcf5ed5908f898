import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plan3d.planner.grouping import ungrouped
from plan3d.planner.pareto import front, thinned
from plan3d.simulator.layout import LayoutTable

POINTS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=30)


@given(points=POINTS)
def test_the_front_is_what_nothing_beats(points: list[tuple[int, int]]) -> None:
    time_s, memory_bytes = np.array(points, dtype=np.float64).T
    expected = {
        p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)
    }
    rows = front(time_s, memory_bytes)
    assert [points[i] for i in rows] == sorted(expected)
    assert all(i == points.index(points[i]) for i in rows)


def test_a_thinned_front_keeps_its_ends() -> None:
    n = 101
    layouts = LayoutTable.build(micro_batch=np.arange(1.0, n + 1))
    ranked = ungrouped(layouts, np.arange(1.0, n + 1), np.arange(n, 0.0, -1))
    assert thinned(ranked, 3).score.tolist() == [1, 51, 101]
    assert thinned(ranked, 1).score.tolist() == [1]
    assert len(thinned(ranked, 500).score) == n
