"""What an assignment costs, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.planner.partition.cost import Solution, evaluate
from plan3d.planner.partition.problem import Coupling, Devices, Host, Layers, Problem
from plan3d.simulator.errors import InputError

LAYERS = Layers(
    options=("none", "full"),
    forward_s=np.array([1.0, 1, 1, 2]),
    backward_s=np.array([[2.0, 3], [2, 3], [2, 3], [4, 6]]),
    state_bytes=np.array([10.0, 10, 10, 20]),
    kept_bytes=np.array([[5.0, 1], [5, 1], [5, 1], [8, 2]]),
    working_bytes=np.array([[0.0, 4], [0, 4], [0, 4], [0, 7]]),
    host_bytes=np.array([[0.0, 1], [0, 1], [0, 1], [0, 1]]),
)
"""Three layers alike and one twice as heavy; recomputing costs a forward pass."""

PROBLEM = Problem(
    layers=LAYERS,
    devices=Devices(
        extra_s=np.array([0.5, 1.5]),
        fixed_bytes=np.array([3.0, 6]),
        in_flight=np.array([2.0, 1]),
        capacity_bytes=np.array([50.0, 50]),
        loss_bytes=np.zeros(2),
    ),
    device_of=np.array([0, 1]),
    micro_batches=10.0,
    cut_s=np.array([0.0, 0.25, 0.25, 0.25, 0]),
    fixed_s=7.0,
)


def test_a_step_by_hand() -> None:
    found = evaluate(PROBLEM, (3, 1), (0, 1, 0, 0))
    assert found.device_s == (0.5 + 3 + 4 + 3 + 0.25, 1.5 + 6 + 0.25)
    assert found.memory_bytes == (3 + 30 + 2 * (5 + 1 + 5) + 4, 6 + 20 + 8)
    assert found.step_time_s == 9 * 10.75 + (10.75 + 7.75) + 7
    assert not found.fits  # 59 of 50 bytes
    assert found.balance == (10.75 + 7.75) / 2 / 10.75


def test_the_loss_and_a_replayed_layer_are_never_there_together() -> None:
    """A loss of 5 bytes on the second device is less than the 7 of its layer, one of 9 more."""
    for loss, more in ((5.0, 7), (9.0, 9)):
        devices = replace(PROBLEM.devices, loss_bytes=np.array([0.0, loss]))
        found = evaluate(replace(PROBLEM, devices=devices), (3, 1), (1, 1, 1, 1))
        assert found.memory_bytes == (3 + 30 + 2 * 3 + 4, 6 + 20 + 2 + more)


def test_recomputing_everything_fits() -> None:
    found = evaluate(PROBLEM, (3, 1), (1, 1, 1, 1))
    assert found.memory_bytes == (3 + 30 + 2 * 3 + 4, 6 + 20 + 2 + 7)
    assert found.fits


def test_two_chunks_a_device_add_up_and_fill_the_pipeline_in_half_the_time() -> None:
    folded = replace(PROBLEM, device_of=np.array([0, 1, 1, 0]))
    found = evaluate(folded, (1, 1, 1, 1), (0, 0, 1, 0))
    assert found.device_s == (0.5 + 3 + 0.25 + 6 + 0.25, 1.5 + 3 + 4 + 4 * 0.25)
    assert found.memory_bytes == (3 + 30 + 2 * 13, 6 + 20 + 6 + 4)
    assert found.step_time_s == 9.5 * 10 + (10 + 9.5) / 2 + 7


def test_host_memory_is_counted_per_node() -> None:
    host = Host(node=np.array([0, 0]), capacity_bytes=np.array([4.0]))
    choice = (1, 0, 0, 1)  # 2 micro-batches in flight on the first stage, 1 on the last: 3 bytes
    roomy = replace(PROBLEM.devices, capacity_bytes=np.array([99.0, 99]))
    assert evaluate(replace(PROBLEM, devices=roomy, host=host), (3, 1), choice).fits
    tight = replace(host, capacity_bytes=np.array([2.0]))
    assert not evaluate(replace(PROBLEM, devices=roomy, host=tight), (3, 1), choice).fits


@pytest.mark.parametrize("sizes", [(4, 0), (2, 1), (4,), (2, 1, 1)])
def test_sizes_that_are_no_split(sizes: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="does not split 4 layers"):
        evaluate(PROBLEM, sizes, (0, 0, 0, 0))


def test_more_stages_than_layers() -> None:
    with pytest.raises(InputError, match=r"5 pipeline stages .* more than the 4 layers"):
        replace(PROBLEM, device_of=np.array([0, 1, 0, 1, 0]))


def test_less_than_a_micro_batch() -> None:
    with pytest.raises(InputError, match=r"0\.5 micro-batches"):
        replace(PROBLEM, micro_batches=0.5)


def test_no_kinds_of_stages() -> None:
    with pytest.raises(InputError, match="at least 1"):
        Coupling(max_kinds=0)


def test_what_is_known_in_words() -> None:
    found = evaluate(PROBLEM, (3, 1), (1, 1, 1, 1))
    bound_s = 0.9 * found.step_time_s
    open_ = Solution(assignment=found, searcher="ilp", proven=False, bound_s=bound_s, note="late")
    assert open_.gap == pytest.approx(0.1)
    assert open_.status == "not proven: within 10.00% of optimal (ilp); late"
    closed = Solution(assignment=found, searcher="dp", proven=True, bound_s=found.step_time_s)
    assert closed.status == "proven optimal (dp)"
