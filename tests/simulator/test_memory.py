"""Memory: the fullest stage by going through all of them."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.simulator.activations import block_activations
from plan3d.simulator.context import Context
from plan3d.simulator.estimate import estimate
from plan3d.simulator.layout import Layout, Recompute, Schedule
from plan3d.simulator.memory import logits_bytes
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.parameters import embedding_params, layer_params, position_params
from plan3d.simulator.result import Memory
from tests.simulator.jobs import BUSY, DGX, GPT, LLAMA, MIXTURE, PLAIN, WORK, one

CONTEXT = Context(model=GPT, work=WORK, cluster=DGX, software=PLAIN)


def test_logits_by_hand() -> None:
    found = logits_bytes(CONTEXT, one(Layout(micro_batch=2, cp=4)), 125.0)
    assert found == 2 * 1024 / 4 * 125 * 4


def by_going_through(model: ModelSpec, layout: Layout) -> tuple[float, int]:
    """Peak and number of the fullest stage of a GPT, written down for one stage after another."""
    table = one(layout)
    act = block_activations(replace(CONTEXT, model=model), table)
    keeps = {
        Recompute.NONE: act.whole_bytes[0],
        Recompute.SELECTIVE: act.selective_bytes[0],
        Recompute.FULL: act.input_bytes[0],
    }[layout.recompute]
    p, v, m = layout.pp, layout.vpp, WORK.global_batch // (layout.dp * layout.micro_batch)
    layer = layer_params(model, moe=False)
    found = []
    for i in range(p):
        flying = {
            Schedule.GPIPE: float(m),
            Schedule.ONE_F_ONE_B: float(min(m, p - i)),
            Schedule.INTERLEAVED: min(m, (2 * (p - i - 1) + (v - 1) * p + 1) / v),
        }[layout.schedule]
        layers = model.layers // p
        held = layers * (layer.tensor / layout.tp + layer.replicated)
        used = flying * layers * keeps
        if i == 0:
            held += embedding_params(model) / layout.tp + position_params(model)
        if i == p - 1:
            # A stage of its own has its copy of the tied embedding, or the head.
            copy = embedding_params(model) if p > 1 or not model.tied else 0
            held += copy / layout.tp + (2 if model.norm == "layernorm" else 1) * model.hidden
            # The inputs of the final norm and the head, 2 bytes each, over tp in sequence parallel.
            each = layout.micro_batch * WORK.seq * model.hidden
            used += 4 * each / (layout.tp if layout.sp else 1)
        logits = layout.micro_batch * WORK.seq * (model.vocab / layout.tp) * 4 * (i == p - 1)
        # What a block has computed again is there while it works backward.
        working = {
            Recompute.NONE: 0.0,
            Recompute.SELECTIVE: act.whole_bytes[0] - act.selective_bytes[0],
            Recompute.FULL: act.whole_bytes[0],
        }[layout.recompute]
        whole = 2 * 2 * layout.micro_batch * WORK.seq * model.hidden if layout.sp else 0
        # Unfused attention: gradients of softmax and scores, 2 bytes each.
        scores = layout.micro_batch * model.heads / layout.tp * WORK.seq**2
        working += max(whole, 2 * 2 * scores)
        used += max(logits, working)
        states = 16 if not layout.zero else 4 + 12 / layout.shard
        found.append(float(states * held + used))
    return max(found), int(np.argmax(found))


PLACES = [
    Layout(),
    Layout(tp=2, pp=4),
    Layout(pp=4, micro_batch=4, tp=8, sp=1),
    Layout(pp=4, schedule=Schedule.GPIPE, recompute=Recompute.FULL),
    Layout(pp=2, vpp=2, schedule=Schedule.INTERLEAVED, recompute=Recompute.SELECTIVE),
    Layout(pp=2, vpp=2, schedule=Schedule.INTERLEAVED, dp=16, micro_batch=4),
    Layout(pp=4, dp=8, zero=1, shard=8),
    Layout(pp=4, dp=64, recompute=Recompute.FULL),
]


@pytest.mark.parametrize("layout", PLACES, ids=str)
@pytest.mark.parametrize("vocab", [1000, 128000])
@pytest.mark.parametrize("model", [GPT, LLAMA], ids=["gpt", "llama"])
def test_the_fullest_stage(model: ModelSpec, vocab: int, layout: Layout) -> None:
    """With a large vocabulary it is the last one, that has the logits."""
    model = replace(model, vocab=vocab)
    cluster = replace(DGX, gpu=replace(DGX.gpu, context_bytes=0.0))
    found = estimate(model, WORK, cluster, PLAIN, layout)
    peak, stage = by_going_through(model, layout)
    assert found.memory_bytes == pytest.approx(peak)
    assert found.stage == stage


def test_the_second_stage_of_a_mixture_is_the_fullest() -> None:
    """Half of the first stage's layers have no experts: the second has the experts of four."""
    small_vocabulary = replace(MIXTURE, vocab=1000)
    found = estimate(small_vocabulary, WORK, DGX, PLAIN, Layout(pp=4))
    assert found.stage == 1
    assert found.first_stage.total_bytes < found.memory_bytes


def test_a_stage_whose_end_counts_as_a_layer_has_a_layer_less() -> None:
    """14 layers on four stages: 3, 4, 4 and 3; four micro-batches in flight on the first."""
    model = replace(GPT, layers=14)
    found = estimate(model, WORK, DGX, PLAIN, Layout(pp=4)).first_stage
    whole = block_activations(replace(CONTEXT, model=model), one(Layout(pp=4))).whole_bytes[0]
    assert found.activations_bytes == pytest.approx(4 * 3 * whole)


def test_the_first_stage_keeps_the_mask_of_the_embeddings_dropout() -> None:
    """A byte for each element of the stream, of four micro-batches in flight."""
    with_it = replace(WORK, dropout=True)
    kept = [
        estimate(GPT, work, DGX, PLAIN, Layout(pp=4, recompute=Recompute.FULL)).first_stage
        for work in (with_it, WORK)
    ]
    more = kept[0].activations_bytes - kept[1].activations_bytes
    assert more == 4 * WORK.seq * GPT.hidden


def memory(layout: Layout, software: str = "busy") -> Memory:
    chosen = {"busy": BUSY, "plain": PLAIN}[software]
    return estimate(GPT, WORK, DGX, chosen, layout).memory


def test_recomputing_some_blocks_keeps_the_others() -> None:
    """3 of 12 layers: their inputs, and the whole of nine; one block is replayed at a time."""
    some = memory(Layout(recompute=Recompute.BLOCK, recompute_layers=3))
    none, full = memory(Layout()), memory(Layout(recompute=Recompute.FULL))
    mixed = 0.75 * none.activations_bytes + 0.25 * full.activations_bytes
    assert some.activations_bytes == pytest.approx(mixed)
    head = (2 + 4 + 2) * WORK.seq * GPT.hidden  # the norm's input is in 32 bits, too
    block = (none.activations_bytes - head) / 12
    # A block is replayed after the logits are gone: the more of the two is the peak.
    for found in (some, full):
        assert found.logits_bytes + found.transient_bytes == max(block, none.logits_bytes)
        assert 0 in (found.logits_bytes, found.transient_bytes)


@pytest.mark.parametrize(
    ("tp", "sharded", "expected"), [(1, False, 4), (2, False, 9), (2, True, 4)]
)
def test_gathered_logits_take_more(tp: int, sharded: bool, expected: float) -> None:
    """125 columns for 2 sequences of 1,024, 4 bytes each.

    Where there is anything to gather, 3 bytes more, and the rank's own half and its gradient.
    """
    software = replace(PLAIN, sharded_loss=sharded, gathering_bytes=3.0)
    context = replace(CONTEXT, software=software)
    found = logits_bytes(context, one(Layout(micro_batch=2, tp=tp)), 125.0)
    assert found == 2 * 1024 * 125 * expected


def test_what_stays_stands_where_the_logits_were() -> None:
    """From the second micro-batch on, logits and what a block works with are both there."""
    software = replace(PLAIN, loss_apart=True)
    job = (replace(GPT, vocab=64000), WORK, DGX)
    layout = Layout(recompute=Recompute.FULL)
    usual, apart = (estimate(*job, s, layout).memory for s in (PLAIN, software))
    assert usual.transient_bytes == 0
    assert usual.logits_bytes == apart.logits_bytes > apart.transient_bytes > 0
    block = estimate(GPT, WORK, DGX, PLAIN, layout).memory  # few logits: a block's peak
    assert apart.transient_bytes == block.transient_bytes
    once = replace(layout, dp=WORK.global_batch)
    found = estimate(*job, software, once).memory
    assert found.transient_bytes == 0


def test_routers_keep_all_blocks_but_the_one_that_works() -> None:
    """Where blocks are replayed: 15 of 16, or 3 of 4, in the peak of a block."""
    model, keeps = replace(MIXTURE, vocab=64), replace(PLAIN, keeps_routing=True)
    job = (model, WORK, DGX)
    each = block_activations(
        Context(model=model, work=WORK, cluster=DGX, software=keeps), one(Layout())
    )
    full, four = Recompute.FULL, Layout(recompute=Recompute.BLOCK, recompute_layers=4)
    for layout, blocks in ((Layout(recompute=full), 15), (four, 3), (Layout(), 0)):
        usual, kept = (estimate(*job, s, layout).memory for s in (PLAIN, keeps))
        more = kept.transient_bytes - usual.transient_bytes
        assert more == pytest.approx(blocks * each.routing_bytes[0])
    assert each.routing_bytes[0] > 0


def test_logits_may_live_on() -> None:
    """A half of what the loss takes, beside a block that works; nothing where that is the peak."""
    keeps, full = replace(PLAIN, logits_kept=0.5), Layout(recompute=Recompute.FULL)
    usual, kept = (estimate(GPT, WORK, DGX, s, full).memory for s in (PLAIN, keeps))
    logits = WORK.seq * 1000 * 4
    assert usual.logits_bytes == kept.logits_bytes == 0
    assert kept.transient_bytes - usual.transient_bytes == pytest.approx(logits / 2)
    large = replace(GPT, vocab=64000)
    assert estimate(large, WORK, DGX, keeps, full).memory.transient_bytes == 0


def test_the_rest() -> None:
    """A margin of 3 % on what comes and goes, buckets where there are replicas, context."""
    alone, four = memory(Layout()), memory(Layout(dp=4))
    assert (alone.buckets_bytes, four.buckets_bytes) == (0, 2e8)
    moving = four.activations_bytes + four.logits_bytes + four.transient_bytes
    assert four.margin_bytes == pytest.approx(0.03 * moving)
    assert four.context_bytes == 1.5e9
