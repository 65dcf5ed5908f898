"""What fills one GPU: the fullest stage at its peak, itemised."""

from dataclasses import dataclass, replace

import numpy as np

from plan3d.simulator.activations import BlockActivations, late_tensors
from plan3d.simulator.context import Context
from plan3d.simulator.ends import head_ranks
from plan3d.simulator.layout import LayoutTable, Recompute
from plan3d.simulator.model_states import StageState, comes_last
from plan3d.simulator.numeric import Bools, Floats, Numeric
from plan3d.simulator.pipeline import StageLayers, in_flight, one_rank_has_both_ends
from plan3d.simulator.software import Software
from plan3d.simulator.stage_params import StageParams, stage_params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MemoryTerms:
    """Additive terms by the field names of `result.Memory`, and whose they are [bytes]."""

    terms: dict[str, Floats]
    total_bytes: Floats
    kept_bytes: Floats
    """Of that, what the allocator keeps while there is room, and gives back where there is none."""
    stage: Floats

    @property
    def need_bytes(self) -> Floats:
        """What there must be room for [bytes]."""
        return self.total_bytes - self.kept_bytes

    def where(self, condition: Bools, other: "MemoryTerms") -> "MemoryTerms":
        """Return these terms where the condition holds, else the other's."""
        return MemoryTerms(
            terms={k: np.where(condition, v, other.terms[k]) for k, v in self.terms.items()},
            total_bytes=np.where(condition, self.total_bytes, other.total_bytes),
            kept_bytes=np.where(condition, self.kept_bytes, other.kept_bytes),
            stage=np.where(condition, self.stage, other.stage),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stage whose memory is looked at."""

    first: bool
    last: bool


def places(context: Context, stages: StageLayers) -> list[Place]:
    """Return the stages among which the fullest is: the others lie between them.

    Under 1F1B the first stage keeps the most micro-batches and the embedding, the last has the
    logits; the second matters where the first has dense layers and the others experts, or where
    the first has a layer less.
    """
    found = [Place(first=True, last=True), Place(first=True, last=False)]
    found.append(Place(first=False, last=True))
    experts = context.model.experts
    if (experts is not None and experts.dense_first) or np.any(stages.even < 1):
        found.append(Place(first=False, last=False))
    return found


def place_params(
    context: Context, table: LayoutTable, stages: StageLayers, place: Place
) -> StageParams:
    """Return the parameters of the stage at a place, for the distinct rows of a table."""
    layers = _layers(stages, place)
    return stage_params(
        context.model, context.software, table, layers, first=place.first, last=place.last
    )


def _layers(stages: StageLayers, place: Place) -> Floats:
    """Return the layers of the stage at a place [1]."""
    if place.last and not place.first:
        return stages.last
    return stages.fullest - (1 - stages.even) if place.first and not place.last else stages.fullest


def peak_memory(
    context: Context,
    table: LayoutTable,
    blocks: BlockActivations,
    logits_bytes: Floats,
    states: dict[Place, StageState],
    stages: StageLayers,
    micro_batches: Floats,
) -> tuple[MemoryTerms, MemoryTerms]:
    """Return the fullest and the first stage of every row, of those in `states`.

    What the fullest keeps is what it has beyond the largest need of all: a stage that keeps less
    may need more. Of stages that fill the memory with that, it is the one that needs most.
    """
    found = [
        _stage(context, table, blocks, logits_bytes, state, stages, micro_batches, place)
        for place, state in states.items()
    ]
    together = one_rank_has_both_ends(table)
    first = found[0].where(together, found[1])
    fullest, need = first, first.need_bytes
    for other in found[2:]:
        more = np.round(other.total_bytes) - np.round(fullest.total_bytes)
        fuller = (more > 0) | ((more == 0) & (other.need_bytes > fullest.need_bytes))
        fullest = other.where(~together & fuller, fullest)
        need = np.where(together, need, np.maximum(need, other.need_bytes))
    return replace(fullest, kept_bytes=fullest.total_bytes - need), first


def _stage(
    context: Context, table: LayoutTable, blocks: BlockActivations, logits_bytes: Floats,
    state: StageState, stages: StageLayers, micro_batches: Floats, place: Place,
) -> MemoryTerms:  # fmt: skip
    """Return the terms of the stage at a place, the fullest of its kind."""
    stage = 0.0 * table.pp if place.first else table.pp - 1
    if not place.first and not place.last:
        stage = np.minimum(stage, 1.0)
    return stage_terms(
        context, table, blocks, logits_bytes, state, stages, micro_batches, place, stage
    )


def stage_terms(
    context: Context, table: LayoutTable, blocks: BlockActivations, logits_bytes: Floats,
    state: StageState, stages: StageLayers, micro_batches: Floats, place: Place, stage: Floats,
) -> MemoryTerms:  # fmt: skip
    """Return the terms of each row's `stage`, counted from 0, which is of the kind of `place`."""
    software = context.software
    layers = _layers(stages, place)
    flying = in_flight(stage, table.pp, table.vpp, micro_batches, table.schedule)
    full = table.recompute >= Recompute.FULL
    share = np.where(
        table.recompute == Recompute.BLOCK,
        np.minimum(table.recompute_layers / np.maximum(layers, 1.0), 1.0),
        1.0,
    )
    kept = np.where(
        table.recompute == Recompute.SELECTIVE, blocks.selective_bytes, blocks.whole_bytes
    )
    kept = np.where(full, share * blocks.input_bytes + (1 - share) * kept, kept)
    parallel = table.dp * table.cp > 1
    logits = logits_bytes if place.last else np.zeros(len(table))
    gradients = state.held_gradients(micro_batches)
    after = comes_last(software, micro_batches)
    # Blocks work backward after the logits are gone: the peak is where there is more of the two,
    # unless PyTorch's allocator, which moves nothing, has cut the logits' memory for what stays:
    # the next ones then need other memory, and blocks work in what is left of the first.
    apart = (micro_batches > 1) & (logits > 0) & software.loss_apart
    working = _working_bytes(software, table, blocks, share * layers, np.where(apart, 0.0, logits))
    in_loss = logits >= working
    terms: dict[str, Floats] = {
        "parameters_bytes": state.held_parameters(micro_batches),
        "gradients_bytes": np.where(after, 0.0, gradients),
        "optimizer_bytes": state.optimizer_bytes,
        "activations_bytes": flying * (layers * kept + place.first * blocks.embedding_bytes)
        + place.last * blocks.head_bytes,
        "logits_bytes": np.where(in_loss | apart, logits, 0.0),
        "transient_bytes": np.where(in_loss & ~apart, 0.0, working)
        + software.whole_buffers * blocks.gathered_bytes
        + state.held_gathered(micro_batches),
        "buckets_bytes": np.where(parallel, software.bucket_bytes, 0.0),
    }
    held = sum(terms.values(), np.zeros(len(table)))
    # What is there from the start leaves no holes: only what comes and goes does.
    moving = terms["activations_bytes"] + terms["logits_bytes"] + terms["transient_bytes"]
    # What comes when activations are gone needs memory in other pieces than theirs.
    afterwards = state.copied_bytes + np.where(after, gradients, 0.0)
    beyond = np.maximum(afterwards - moving, 0.0)
    terms["gradients_bytes"] = terms["gradients_bytes"] + beyond
    terms["context_bytes"] = np.full(len(table), context.cluster.gpu.context_bytes)
    margin = software.memory_margin * moving
    needed = held + beyond + terms["context_bytes"] + margin
    late = late_tensors(software, layers, flying, micro_batches) * blocks.gathered_bytes
    # What several micro-batches in flight free and take in turn lies among what they keep: of one
    # alone, all is freed in the reverse order, and leaves no holes.
    among = software.memory_cached * (flying > 1)
    cached = among * moving + late + afterwards - beyond
    # An allocator that runs out of memory waits for what is late, and gives back what it cached.
    # A byte stays free, so that terms that are summed in another order are within the memory, too.
    kept = np.clip(context.cluster.gpu.memory_bytes - 1.0 - needed, 0.0, cached)
    terms["margin_bytes"] = margin + kept
    return MemoryTerms(terms=terms, total_bytes=needed + kept, kept_bytes=kept, stage=stage)


def _working_bytes(
    software: Software, table: LayoutTable, blocks: BlockActivations, replayed: Floats,
    logits: Floats,
) -> Floats:  # fmt: skip
    """Return what is there while a block works backward, beside what all keep, shape (n,) [bytes].

    With full recomputation of `replayed` blocks, and `logits` that may live on.
    """
    again = np.where(
        table.recompute == Recompute.SELECTIVE, blocks.whole_bytes - blocks.selective_bytes, 0.0
    )
    again = np.where(table.recompute >= Recompute.FULL, blocks.whole_bytes, again)
    working = blocks.working_bytes + again
    if software.logits_kept:
        working = working + software.logits_kept * logits
    if software.keeps_routing:  # at the end of backward, of all replayed blocks but the one at work
        before = np.maximum(replayed - 1, 0.0) * (table.recompute >= Recompute.FULL)
        working = working + before * blocks.routing_bytes
    return working


def logits_bytes(context: Context, table: LayoutTable, columns: Numeric) -> Numeric:
    r"""Bytes of the logits, their softmax and gradient at the peak of the loss [bytes].

    .. math:: \frac{b s}{c}\, n \Bigl(bytes + [\text{gathered}] \frac{2 w}{t}\Bigr)

    A loss on gathered logits has the rank's own and their gradient beside them.

    Parameters
    ----------
    context
        *s*, bytes per logit and of gathering one, bytes per activation *w*.
    table
        *b*, *c*; ranks that the output projection is cut over, *t*, and whether *t* > 1.
    columns
        Padded vocabulary that one rank's loss works on, *n*: see `ends.loss_columns`. [1]
    """
    software = context.software
    tokens = table.micro_batch * context.work.seq / table.cp
    ranks = head_ranks(software, table)
    unsharded = (not software.sharded_loss) & (ranks > 1)
    each = software.logits_bytes + unsharded * software.gathering_bytes
    width = context.work.precision.activation_bytes
    return tokens * columns * (each + unsharded * 2 * width / ranks)
