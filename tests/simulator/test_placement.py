"""Groups counted by writing the ranks down."""

import numpy as np
import pytest

from plan3d.simulator.placement import place


def mates(size: int, stride: int, gpus_per_node: int) -> int:
    """Members of the group of rank 0 that stand in its node."""
    return sum(1 for k in range(size) if k * stride < gpus_per_node)


@pytest.mark.parametrize("size", [1, 2, 8, 64])
@pytest.mark.parametrize("stride", [1, 2, 4, 8, 512])
@pytest.mark.parametrize("gpus_per_node", [1, 4, 8, 16])
def test_members_of_a_node_are_those_that_fit(size: int, stride: int, gpus_per_node: int) -> None:
    group = place(float(size), float(stride), gpus_per_node)
    local = mates(size, stride, gpus_per_node)
    assert group.local == local
    assert group.nodes == size / local


def test_a_group_that_fills_its_last_node_in_part_is_its_mean() -> None:
    group = place(12.0, 1.0, 8)
    assert (group.local, group.nodes) == (8, 1.5)


def test_a_large_domain_holds_the_whole_group() -> None:
    assert place(64.0, 1.0, 72).nodes == 1


def test_columns() -> None:
    group = place(np.array([8.0, 8.0, 8.0]), np.array([1.0, 2.0, 16.0]), 8)
    assert np.array_equal(group.local, [8, 4, 1])
    assert np.array_equal(group.nodes, [1, 2, 8])
