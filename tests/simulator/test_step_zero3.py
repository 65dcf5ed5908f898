"""What ZeRO-3 costs in a step: gathers and reductions by hand."""

from dataclasses import replace

import pytest

from plan3d.simulator.layout import Layout
from tests.simulator.jobs import GPT
from tests.simulator.test_step_time import parts, replicas, run


@pytest.mark.parametrize(("overlap", "on"), [(0.0, 1), (1.0, 0), (1.0, 1), (0.01, 1)])
@pytest.mark.parametrize(("every", "reductions"), [(True, 4), (False, 1)])
def test_zero_3_gathers_in_every_micro_batch(
    overlap: float, on: int, every: bool, reductions: int
) -> None:
    """A gather before each pass of a block, a reduction after its backward; ends expose one.

    Of four micro-batches all reduce, or the last one.
    """
    layout = Layout(dp=16, zero=3, shard=16, dp_overlap=on)
    block, _, _ = parts(layout)
    sync = replicas(layout)
    gather, reduce = sync["block_gather_s"], sync["block_reduce_s"]
    hide = overlap * on
    ahead = max(gather - hide * float(block.forward.total_s[0]), 0.0)
    window = hide * float(block.backward.total_s[0])
    late = 4 * ahead + (4 - reductions) * max(gather - window, 0.0)
    late += reductions * max(gather + reduce - window, 0.0)
    found = run(layout, zero3_overlap=overlap, zero2_every_micro_batch=every)
    ends = 4 * gather + reductions * reduce
    assert found.time.dp_comm_s == pytest.approx(12 * late + ends)
    assert found.link.dp_link_s == pytest.approx(12 * (8 * gather + reductions * reduce))


def test_zero_3_gathers_once_in_a_pipeline() -> None:
    """Six layers of a stage, and one of its ends; all reduce after the last backward pass."""
    layout = Layout(pp=2, dp=16, zero=3, shard=16)
    software = {"zero2_every_micro_batch": True, "pipelines_reduce_once": True}
    found = run(layout, zero3_overlap=1.0, model=replace(GPT, tied=False), **software)
    sync = replicas(layout)
    gather, reduce = sync["block_gather_s"], sync["block_reduce_s"]
    block, _, _ = parts(layout)
    ahead = max(gather - float(block.forward.total_s[0]), 0.0)
    expected = 6 * (ahead + reduce) + gather + reduce
    assert found.time.dp_comm_s == pytest.approx(expected)
    assert found.link.dp_link_s == pytest.approx(6 * (gather + reduce))
