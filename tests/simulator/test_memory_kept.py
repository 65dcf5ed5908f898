"""Memory that is kept, though it is free: gradients and copies after activations, late frees."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan3d.simulator.context import Context
from plan3d.simulator.estimate import estimate, estimate_table
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.memory import logits_bytes
from plan3d.simulator.result import Memory
from plan3d.simulator.software import Software
from plan3d.simulator.stage_memory import stage_memory
from tests.simulator.jobs import BUSY, DGX, GPT, PLAIN, WORK, one


def of(software: Software, layout: Layout, micro_batches: int) -> Memory:
    """Return the memory of a step of so many micro-batches on a GPU that has room for anything."""
    work = replace(WORK, global_batch=layout.dp * layout.micro_batch * micro_batches)
    roomy = replace(DGX, gpu=replace(DGX.gpu, memory_bytes=1e15))
    return estimate(GPT, work, roomy, software, layout).memory


def test_a_single_micro_batchs_gradients_come_when_activations_go() -> None:
    """Where a step's end frees them: kept beside activations only while there is room."""
    frees = replace(PLAIN, frees_gradients=True)
    one, two = of(frees, Layout(), 1), of(frees, Layout(), 2)
    kept = of(PLAIN, Layout(), 1)
    assert two.gradients_bytes == kept.gradients_bytes > 0
    moving = one.activations_bytes + one.logits_bytes + one.transient_bytes
    assert moving > kept.gradients_bytes
    assert (one.gradients_bytes, one.margin_bytes) == (0, kept.gradients_bytes)
    assert one.total_bytes == kept.total_bytes
    # Without room: what is needed alone, and what is kept fills the GPU at most.
    need = one.total_bytes - one.margin_bytes
    for size in (need - 1e6, need + 1e6, one.total_bytes + 1e6):
        tight = replace(DGX, gpu=replace(DGX.gpu, memory_bytes=size))
        work = replace(WORK, global_batch=1)
        found = estimate(GPT, work, tight, frees, Layout()).memory
        assert found.total_bytes == pytest.approx(max(need, min(size, one.total_bytes)))


def test_copies_larger_than_all_activations_need_the_rest_in_any_case() -> None:
    """A copy of 1,000 bytes a parameter: the activations' memory serves it first."""
    copies = replace(PLAIN, gradient_copy_bytes=1000.0)
    found, plain = of(copies, Layout(), 2), of(PLAIN, Layout(), 2)
    moving = plain.activations_bytes + plain.logits_bytes + plain.transient_bytes
    beyond = 500 * plain.gradients_bytes - moving
    assert found.gradients_bytes == pytest.approx(plain.gradients_bytes + beyond)
    assert found.margin_bytes == pytest.approx(moving)


def test_what_the_allocator_keeps_cached() -> None:
    """A tenth of what comes and goes of several micro-batches, beside a margin of 3 %."""
    for layout, micro_batches, share in (
        (Layout(pp=4), 4, 0.13),  # four in flight
        (Layout(pp=4), 1, 0.03),
        (Layout(), 4, 0.03),  # one after another
    ):
        found = of(replace(BUSY, memory_cached=0.1), layout, micro_batches)
        moving = found.activations_bytes + found.logits_bytes + found.transient_bytes
        assert found.margin_bytes == pytest.approx(share * moving)


def test_buffers_and_late_tensors_of_the_whole_stream() -> None:
    """Twelve layers in sequence parallelism: 2 tensors of 16 bits a layer forward, 4 backward."""
    stream = 2 * WORK.seq * GPT.hidden
    sharded = Layout(tp=8, sp=1)
    plain = of(PLAIN, sharded, 1)
    buffers = of(replace(PLAIN, whole_buffers=2.0), sharded, 1)
    assert buffers.transient_bytes - plain.transient_bytes == 2 * stream
    late = replace(PLAIN, late_most=1000.0)
    for micro_batches, tensors in ((1, 24), (2, 72)):
        assert of(late, sharded, micro_batches).margin_bytes == tensors * stream
    assert of(replace(late, late_most=20.0), sharded, 2).margin_bytes == 20 * stream
    for whole in (Layout(tp=8), Layout()):
        assert of(late, whole, 2).margin_bytes == 0


def test_gathered_logits_have_the_ranks_own_beside_them() -> None:
    """4 bytes of 1,000 logits, and of 250 the 16 bits and their gradient's."""
    software = replace(PLAIN, sharded_loss=False)
    gathers = Context(model=GPT, work=WORK, cluster=DGX, software=software)
    assert logits_bytes(gathers, one(Layout(tp=4)), 1000.0) == WORK.seq * (4 * 1000 + 4 * 250)
    assert logits_bytes(gathers, one(Layout()), 1000.0) == WORK.seq * 4 * 1000


def test_what_is_kept_is_no_need() -> None:
    """Its column is what a full GPU gives back: a tenth of what comes and goes, or less."""
    software = replace(BUSY, memory_cached=0.1)
    layouts = [Layout(pp=4), Layout(pp=4, micro_batch=16)]
    found = estimate_table(GPT, WORK, DGX, software, LayoutTable.of(layouts))
    names = ("activations_bytes", "logits_bytes", "transient_bytes")
    moving = np.sum([found.memory[name] for name in names], axis=0)
    kept = np.clip(found.capacity_bytes - (found.memory_bytes - found.kept_bytes), 0, 0.1 * moving)
    np.testing.assert_allclose(found.kept_bytes, kept)
    assert np.all(found.memory["margin_bytes"] >= found.kept_bytes)


@given(memory_bytes=st.floats(2e9, 6e9), context_bytes=st.floats(1e8, 1e9))
@settings(max_examples=100, deadline=None)
def test_what_is_kept_makes_nothing_too_large(memory_bytes: float, context_bytes: float) -> None:
    """Nor does rounding: sums of the terms in any order."""
    gpu = replace(DGX.gpu, memory_bytes=memory_bytes, context_bytes=context_bytes)
    tight, layouts = replace(DGX, gpu=gpu), [Layout(pp=2, micro_batch=n) for n in (1, 2, 4, 8, 16)]
    software = replace(BUSY, memory_cached=10.0, memory_margin=0.07)
    found = estimate_table(GPT, WORK, tight, software, LayoutTable.of(layouts))
    needs = found.memory_bytes - found.kept_bytes
    assert np.array_equal(found.fits, needs <= memory_bytes)
    backwards = np.sum([found.memory[name] for name in reversed(found.MEMORY)], axis=0)
    assert np.array_equal(backwards <= memory_bytes, found.fits)


def test_the_need_is_that_of_the_stage_that_needs_most() -> None:
    """The first stage keeps a hundred times its four micro-batches; the last has large logits, and
    late tensors of one alone."""
    software = replace(PLAIN, memory_cached=100.0, late_most=1e5, logits_bytes=1600.0)
    plain = replace(software, memory_cached=0.0, late_most=0.0)
    context = Context(model=GPT, work=WORK, cluster=DGX, software=plain)
    layout = Layout(tp=2, sp=1, pp=4, micro_batch=4)
    needs = [stage.total_bytes for stage in stage_memory(context, layout)]
    assert max(needs) == needs[3] > needs[0] > needs[1]
    # With room for nothing else, where both fill the memory, for some, for all.
    for size, fullest in ((needs[3] + 1e6, 3), (80e9, 0), (1e13, 0)):
        tight = replace(DGX, gpu=replace(DGX.gpu, memory_bytes=size))
        found = estimate_table(GPT, WORK, tight, software, one(layout))
        assert found.memory_bytes - found.kept_bytes == pytest.approx(max(needs))
        assert found.stage[0] == fullest
        assert found.kept_bytes <= found.memory["margin_bytes"]
        alone = found.row(0)
        assert alone.need_bytes == pytest.approx(max(needs))
