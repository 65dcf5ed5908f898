"""Memory: the ZeRO paper's table, and the fullest stage by going through all of them."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.simulator.activations import block_activations
from plan3d.simulator.context import Context
from plan3d.simulator.estimate import estimate
from plan3d.simulator.layout import Layout, Recompute, Schedule
from plan3d.simulator.memory import StageState, logits_bytes, stage_state
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.parameters import embedding_params, layer_params, position_params
from plan3d.simulator.result import Memory
from plan3d.simulator.stage_params import StageParams
from plan3d.simulator.workload import OPTIMIZERS, PRECISIONS, Workload
from tests.simulator.jobs import BUSY, DGX, GPT, LLAMA, MIXTURE, PLAIN, WORK, one

CONTEXT = Context(model=GPT, work=WORK, cluster=DGX, software=PLAIN)


def params(
    blocks: float, experts: float = 0.0, ends: float = 0.0, unit: float = 0.0
) -> StageParams:
    fields = {
        "blocks": blocks, "experts": experts, "ends": ends, "largest_block": unit,
        "largest_experts": 0.0, "tied_copy": 0.0,
    }  # fmt: skip
    return StageParams(**{k: np.array([v]) for k, v in fields.items()})


def state(
    layout: Layout, stage: StageParams, work: Workload = WORK, context: Context = CONTEXT
) -> StageState:
    return stage_state(replace(context, work=work), one(layout), stage)


def total(found: StageState) -> float:
    return float(found.parameters_bytes[0] + found.gradients_bytes[0] + found.optimizer_bytes[0])


@pytest.mark.parametrize(("zero", "expected_gb"), [(0, 120.0), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_the_table_of_the_zero_paper(zero: int, expected_gb: float) -> None:
    """7.5 B parameters on 64 GPUs with Adam (S. Rajbhandari et al., arXiv:1910.02054, fig. 1)."""
    found = state(Layout(dp=64, zero=zero, shard=64 if zero else 1), params(7.5e9))
    assert total(found) / 1e9 == pytest.approx(expected_gb, abs=0.05)


@pytest.mark.parametrize(
    ("precision", "optimizer", "expected"),
    [
        ("bf16", "adam", (2, 2, 12)),
        ("bf16", "sgd", (2, 2, 4)),
        ("bf16", "adam8bit", (2, 2, 6)),
        ("bf16-pure", "adam", (2, 2, 4)),
        ("fp32", "adam", (4, 4, 8)),
        ("fp32", "momentum", (4, 4, 4)),
    ],
)
def test_bytes_per_parameter(
    precision: str, optimizer: str, expected: tuple[int, int, int]
) -> None:
    work = replace(WORK, precision=PRECISIONS[precision], optimizer=OPTIMIZERS[optimizer])
    found = state(Layout(), params(1.0), work)
    parts = found.parameters_bytes, found.gradients_bytes, found.optimizer_bytes
    assert tuple(p[0] for p in parts) == expected


def test_the_framework_may_accumulate_in_32_bit() -> None:
    software = replace(PLAIN, gradient_bytes=4.0)
    context = replace(CONTEXT, software=software)
    assert state(Layout(), params(1.0), context=context).gradients_bytes[0] == 4
    pure = replace(WORK, precision=PRECISIONS["bf16-pure"])
    assert state(Layout(), params(1.0), pure, context).gradients_bytes[0] == 2


def test_the_optimizers_copy_of_the_gradients_is_sharded_with_its_states() -> None:
    """4 bytes each of those that the rank updates; in pure bf16 there is no copy."""
    context = replace(CONTEXT, software=replace(PLAIN, gradient_copy_bytes=4.0))
    layout = Layout(dp=4, zero=1, shard=4)
    assert state(layout, params(400.0), context=context).copied_bytes[0] == 4 * 100
    assert state(Layout(), params(400.0), context=context).copied_bytes[0] == 4 * 400
    assert state(layout, params(400.0), context=context).gradients_bytes[0] == 2 * 400
    pure = replace(WORK, precision=PRECISIONS["bf16-pure"])
    assert state(layout, params(400.0), pure, context).copied_bytes[0] == 0


def test_gradients_have_a_copy_where_they_are_reduced_whole() -> None:
    """2 bytes each, and 4 more in buckets; sharded ones, and those of one replica, have none."""
    context = replace(CONTEXT, software=replace(PLAIN, reduced_copy_bytes=4.0))
    for layout, found in (
        (Layout(), 2 * 400), (Layout(dp=4), 6 * 400), (Layout(cp=2), 6 * 400),
        (Layout(dp=4, zero=1, shard=4), 6 * 400), (Layout(dp=4, zero=2, shard=4), 2 * 100),
    ):  # fmt: skip
        assert state(layout, params(400.0), context=context).gradients_bytes[0] == found


def test_weights_in_32_bits_may_stay_whole() -> None:
    """4 bytes whole, of Adam's states 8 bytes a quarter each."""
    context = replace(CONTEXT, software=replace(PLAIN, whole_master=True))
    found = state(Layout(dp=4, zero=1, shard=4), params(400.0), context=context)
    assert found.optimizer_bytes[0] == 4 * 400 + 8 * 100


def test_hybrid_sharding_shards_in_its_group() -> None:
    assert total(state(Layout(dp=64, zero=3, shard=8), params(800.0))) == 16 * 100


def test_experts_shard_over_the_ranks_that_share_them() -> None:
    """16 replicas, but each expert has only 4."""
    layout = Layout(dp=16, ep=4, zero=3, shard=16)
    assert total(state(layout, params(1600.0, experts=400.0))) == 16 * (100 + 100)


def test_offloaded_states_leave() -> None:
    found = state(Layout(dp=4, zero=1, shard=4, offload=0.75), params(400.0))
    assert found.optimizer_bytes[0] == 12 * 100 / 4


def test_zero_3_gathers_two_units_and_a_gradient() -> None:
    """A block and the larger of block and ends, 2 bytes a weight; 2 bytes a block's gradient."""
    stage = params(400.0, ends=70.0, unit=50.0)
    found = state(Layout(dp=4, zero=3, shard=4), stage)
    assert found.gathered_bytes[0] == 2 * (50 + 70) + 2 * 50
    assert state(Layout(dp=4, zero=2, shard=4), stage).gathered_bytes[0] == 0


def test_gradients_reduced_once_a_step_are_summed_whole() -> None:
    """In the 4 bytes of the reduction, if there is something to sum; PLAIN reduces in 2."""
    software = replace(PLAIN, reduce_bytes=4.0)
    context = replace(CONTEXT, software=software)
    found = state(Layout(dp=4, zero=3, shard=4), params(400.0), context=context)
    assert found.held_gradients(1.0)[0] == 2 * 400 / 4
    assert found.held_gradients(2.0)[0] == 4 * 400
    # The whole gradient of a unit of 50 is among them, not beside what is gathered.
    unit = state(Layout(dp=4, zero=3, shard=4), params(400.0, unit=50.0), context=context)
    assert unit.held_gradients(2.0)[0] == 4 * 400
    assert unit.held_gathered(2.0)[0] == unit.held_gathered(1.0)[0] - 4 * 50 == 2 * (50 + 50)
    each = replace(context, software=replace(software, zero2_every_micro_batch=True))
    found = state(Layout(dp=4, zero=3, shard=4), params(400.0), context=each)
    assert found.held_gradients(2.0)[0] == 2 * 400 / 4
    found = state(Layout(dp=4, zero=1, shard=4), params(400.0), context=context)
    assert found.held_gradients(2.0)[0] == 2 * 400


def test_pipelines_keep_parameters_gathered_between_micro_batches() -> None:
    """Where gradients are reduced once a step: 2 bytes a weight, whole and as its shard."""
    context = replace(CONTEXT, software=PLAIN)
    found = state(Layout(dp=4, pp=2, zero=3, shard=4), params(400.0, unit=50.0), context=context)
    assert found.held_parameters(1.0)[0] == 2 * 100
    assert found.held_parameters(2.0)[0] == 2 * 100 + 2 * 400
    assert found.held_gathered(2.0)[0] == 0  # all are
    each = replace(context, software=replace(PLAIN, zero2_every_micro_batch=True))
    for other in (
        state(Layout(dp=4, zero=3, shard=4), params(400.0), context=context),
        state(Layout(dp=4, pp=2, zero=3, shard=4), params(400.0), context=each),
    ):
        assert other.held_parameters(2.0)[0] == other.held_parameters(1.0)[0] == 2 * 100


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


def test_the_rest() -> None:
    """A margin of 3 % on what comes and goes, buckets where there are replicas, context."""
    alone, four = memory(Layout()), memory(Layout(dp=4))
    assert (alone.buckets_bytes, four.buckets_bytes) == (0, 2e8)
    moving = four.activations_bytes + four.logits_bytes + four.transient_bytes
    assert four.margin_bytes == pytest.approx(0.03 * moving)
    assert four.context_bytes == 1.5e9
