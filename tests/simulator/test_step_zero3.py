"""What ZeRO-3 costs in a step: gathers and reductions by hand."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.simulator.layout import Layout
from plan3d.simulator.model_states import gathering_passes
from tests.simulator.jobs import GPT, PLAIN, one
from tests.simulator.test_step_time import parts, replicas, run


@pytest.mark.parametrize(("overlap", "on"), [(0.0, 1), (1.0, 0), (1.0, 1), (0.01, 1)])
@pytest.mark.parametrize(("every", "reductions"), [(True, 4), (False, 1)])
def test_zero_3_gathers_in_every_micro_batch(
    overlap: float, on: int, every: bool, reductions: int
) -> None:
    """A gather before each pass of a block, a reduction after its backward.

    The first block's gather forward and its reduction are exposed whole, as those of the ends. Of
    four micro-batches all reduce, or the last one.
    """
    layout = Layout(dp=16, zero=3, shard=16, dp_overlap=on)
    block, _, _ = parts(layout)
    sync = replicas(layout)
    gather, reduce = sync["block_gather_s"], sync["block_reduce_s"]
    hide = overlap * on
    ahead = max(gather - hide * float(block.forward.total_s[0]), 0.0)
    window = hide * float(block.backward.total_s[0])
    alone, both = max(gather - window, 0.0), max(gather + reduce - window, 0.0)
    late = 11 * (4 * ahead + reductions * (both - alone)) + 12 * 4 * alone
    found = run(layout, zero3_overlap=overlap, zero2_every_micro_batch=every)
    ends = 4 * sync["ends_gather_s"] + reductions * sync["ends_reduce_s"]
    firsts = 4 * gather + reductions * reduce
    assert found.time.dp_comm_s == pytest.approx(late + firsts + ends)
    assert found.link.dp_link_s == pytest.approx(12 * (8 * gather + reductions * reduce) + ends)


def test_zero_3_gathers_once_in_a_pipeline() -> None:
    """Six layers of a stage, and its end; all reduce after the last backward pass."""
    layout = Layout(pp=2, dp=16, zero=3, shard=16)
    software = {"zero2_every_micro_batch": True, "pipelines_reduce_once": True}
    found = run(layout, zero3_overlap=1.0, model=replace(GPT, tied=False), **software)
    sync = replicas(layout)
    gather, reduce = sync["block_gather_s"], sync["block_reduce_s"]
    block, _, _ = parts(layout)
    ahead = max(gather - float(block.forward.total_s[0]), 0.0)
    ends = sync["ends_gather_s"] + sync["ends_reduce_s"]
    expected = gather + 5 * ahead + 6 * reduce + ends
    assert found.time.dp_comm_s == pytest.approx(expected)
    assert found.link.dp_link_s == pytest.approx(6 * (gather + reduce) + ends)


def test_a_pipeline_may_shard_again_after_every_forward_pass() -> None:
    """Of four micro-batches two fill two stages and gather forward; all but the last backward."""
    layout = Layout(pp=2, dp=16, zero=3, shard=16)
    software = {
        "zero2_every_micro_batch": True, "pipelines_reduce_once": True, "pipelines_reshard": True,
    }  # fmt: skip
    found = run(layout, zero3_overlap=0.0, model=replace(GPT, tied=False), **software)
    sync = replicas(layout)
    gather, reduce = sync["block_gather_s"], sync["block_reduce_s"]
    ends = 2 * sync["ends_gather_s"] + sync["ends_reduce_s"]
    expected = 6 * (2 * gather + 3 * gather + reduce) + ends
    assert found.time.dp_comm_s == pytest.approx(expected)  # nothing overlaps
    assert found.link.dp_link_s == pytest.approx(expected)


@pytest.mark.parametrize("pp", [1, 2, 12])
@pytest.mark.parametrize("reshard", [False, True])
@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("copies", [False, True])
def test_no_more_is_exposed_than_sent(pp: int, reshard: bool, once: bool, copies: bool) -> None:
    """And all of it, where nothing overlaps."""
    options = {"pipelines_reshard": reshard, "pipelines_reduce_once": once, "unit_copies": copies}
    for shard in (8, 16):
        layout = Layout(pp=pp, dp=16, zero=3, shard=shard)
        found = [run(layout, zero3_overlap=overlap, **options) for overlap in (0.0, 0.01, 1.0)]
        exposed = [one.time.dp_comm_s for one in found]
        assert exposed[0] == pytest.approx(found[0].link.dp_link_s)
        assert exposed == sorted(exposed, reverse=True)


@pytest.mark.parametrize(("every", "reduced", "summed"), [(True, 4, 0), (False, 1, 3)])
def test_copies_hide_in_nothing(every: bool, reduced: int, summed: int) -> None:
    """Four micro-batches gather blocks twice each, ends once; what is not reduced is summed.

    A sum in another type is made of the first gradients, three times added to, and copied.
    """
    layout = Layout(dp=16, zero=3, shard=16)
    options = {"zero3_overlap": 1.0, "zero2_every_micro_batch": every, "contention": 1.0}
    options["reduce_bytes"] = 4.0
    plain, copying = run(layout, **options), run(layout, **options, unit_copies=True)
    sync = replicas(layout, replace(PLAIN, unit_copies=True, reduce_bytes=4.0))
    expected = 8 * sync["gather_copy_s"]
    expected += 4 * (sync["ends_gather_s"] - replicas(layout)["ends_gather_s"])
    expected += reduced * sync["reduce_copy_s"] + summed * sync["sum_copy_s"]
    expected += bool(summed) * sync["summed_copy_s"]
    assert sync["summed_copy_s"] > 0
    assert expected > 0
    more = copying.time.dp_comm_s - plain.time.dp_comm_s
    assert more == pytest.approx(expected, rel=1e-6)
    assert copying.link.dp_link_s - plain.link.dp_link_s == pytest.approx(expected, rel=1e-6)
    assert copying.time.overhead_s == pytest.approx(plain.time.overhead_s)  # nothing is hidden


@pytest.mark.parametrize(
    ("layout", "reshard", "passes"),
    [
        pytest.param(Layout(dp=8, zero=3, shard=8), True, (8, 8), id="no pipeline: all"),
        pytest.param(Layout(pp=4, dp=2, zero=3, shard=2), False, (1, 0), id="gathered once"),
        pytest.param(Layout(pp=4, dp=2, zero=3, shard=2), True, (4, 5), id="all but three last"),
        pytest.param(Layout(pp=16, dp=2, zero=3, shard=2), True, (8, 1), id="all of them fill"),
    ],
)
def test_passes_that_gather(layout: Layout, reshard: bool, passes: tuple[int, int]) -> None:
    software = replace(PLAIN, pipelines_reduce_once=True, pipelines_reshard=reshard)
    ahead, back = gathering_passes(software, one(layout), np.array([8.0]))
    assert (ahead[0], back[0]) == passes


@pytest.mark.parametrize("pp", [2, 3, 8])
@pytest.mark.parametrize("micro_batches", [1, 2, 5, 16])
def test_passes_gather_what_the_one_before_sharded(pp: int, micro_batches: int) -> None:
    """Played: 1F1B on the first stage, whose forward passes shard, and backward passes do not."""
    fill = min(pp, micro_batches)
    order = "F" * fill + "BF" * (micro_batches - fill) + "B" * fill
    gathered, found = False, {"F": 0, "B": 0}
    for one_pass in order:
        found[one_pass] += not gathered
        gathered = one_pass == "B"
    software = replace(PLAIN, pipelines_reduce_once=True, pipelines_reshard=True)
    table = one(Layout(pp=pp, dp=2, zero=3, shard=2))
    ahead, back = gathering_passes(software, table, np.array([float(micro_batches)]))
    assert (ahead[0], back[0]) == (found["F"], found["B"])
