"""Which layouts can run at all: a column of flags per table, each flag with why and what helps.

The rules are those that Megatron-LM, DeepSpeed and torchtitan check when a job starts (the check
is named beside each rule); what only some of them refuse, a caller masks out of the flags.
"""

from collections.abc import Iterator, Mapping
from enum import IntFlag, auto
from typing import Final

import numpy as np

from plan3d.simulator.hardware import Cluster
from plan3d.simulator.layout import LayoutTable, Recompute, Schedule
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.numeric import Bools, Floats, Ints
from plan3d.simulator.pipeline import stage_layers
from plan3d.simulator.workload import Workload

Rule = tuple["Reason", Bools]
"""A reason, and where it applies."""


class Reason(IntFlag):
    """Why a layout cannot run. 0 is a legal layout."""

    GPUS = auto()
    NODE = auto()
    HEADS = auto()
    KV_HEADS = auto()
    FFN = auto()
    FEW_LAYERS = auto()
    UNEVEN = auto()
    LOST_LAYERS = auto()
    BATCH = auto()
    SEQUENCE = auto()
    ULYSSES = auto()
    SEQUENCE_PARALLEL = auto()
    EXPERT_SEQUENCE = auto()
    INTERLEAVE = auto()
    INTERLEAVE_BATCH = auto()
    SCHEDULE = auto()
    EXPERTS = auto()
    FOLDING = auto()
    SHARD = auto()
    ZERO_PIPELINE = auto()
    RECOMPUTE = auto()
    OFFLOAD = auto()


EXPLANATIONS: Final[Mapping[Reason, tuple[str, str]]] = {
    Reason.GPUS: (
        "tp * pp * dp * cp is not the number of GPUs",
        "leave one of them out, or change the number of GPUs",
    ),
    Reason.NODE: (
        "a tensor-parallel group would straddle the fast network of a node",
        "use a tp that divides the GPUs of a node",
    ),
    Reason.HEADS: ("the attention heads do not divide by tp", "use a tp that divides the heads"),
    Reason.KV_HEADS: (
        "the key-value heads are neither a multiple nor a divisor of tp",
        "use a tp that divides the key-value heads, or that they divide",
    ),
    Reason.FFN: (
        "the width of the MLP or of an expert does not divide by its tensor parallelism",
        "use a tp (an etp, for experts) that divides the width",
    ),
    Reason.FEW_LAYERS: ("there are fewer layers than pp * vpp", "lower pp or vpp"),
    Reason.UNEVEN: (
        "the layers do not divide evenly over the stages, nor with embedding and loss counted "
        "as a layer each",
        "use a pp that divides the layers, or a framework with uneven stages "
        "(torchtitan, nanotron)",
    ),
    Reason.LOST_LAYERS: (
        "the layers of a stage do not divide by vpp: rounded down, the model would silently "
        "train with fewer layers",
        "use a vpp that divides layers / pp",
    ),
    Reason.BATCH: (
        "the global batch does not divide by dp * micro_batch",
        "use a dp * micro_batch that divides it, or change the global batch",
    ),
    Reason.SEQUENCE: (
        "the sequence does not divide over the context-parallel ranks",
        "use a cp with 2 * cp dividing the sequence",
    ),
    Reason.ULYSSES: (
        "all-to-all context parallelism needs heads that divide by tp * cp",
        "lower cp, or use the ring (cp_all_to_all=0)",
    ),
    Reason.SEQUENCE_PARALLEL: (
        "sequence parallelism needs tp > 1, and a hidden size and a sequence that divide by its "
        "ranks",
        "use sp=0, or another tp or cp",
    ),
    Reason.EXPERT_SEQUENCE: (
        "a mixture of experts with tp > 1 needs sequence parallelism",
        "use sp=1, or tp=1",
    ),
    Reason.INTERLEAVE: (
        "interleaving needs pp > 1, and pp > 2 where pipeline transfers do not overlap",
        "use vpp=1, or raise pp",
    ),
    Reason.INTERLEAVE_BATCH: (
        "interleaving needs a number of micro-batches that divides by pp",
        "use vpp=1, or a smaller micro_batch, dp or pp",
    ),
    Reason.SCHEDULE: (
        "the schedule does not run with this pp, vpp and number of micro-batches",
        "use interleaved or looped_bfs with vpp > 1; zb_v or dualpipe_v with vpp=2; 1f1b, gpipe, "
        "zb_h1, zb_h2 or dualpipe with vpp=1; dualpipe wants an even pp and an even number of "
        "micro-batches from 2 * pp, dualpipe_v from 2 * pp, zb_h2 from 2 * pp - 1",
    ),
    Reason.EXPERTS: (
        "ep must divide the routed experts, and is 1 (as etp is) in a model without experts",
        "use an ep that divides the experts",
    ),
    Reason.FOLDING: (
        "expert groups fold into tp * cp * dp: ep * etp must divide that, and etp must divide tp",
        "lower ep or etp",
    ),
    Reason.SHARD: (
        "ZeRO shards over a divisor of dp * cp that is above 1, and zero=0 shards over nothing",
        "use zero=0 with shard=1, or a shard that divides dp * cp",
    ),
    Reason.ZERO_PIPELINE: (
        "ZeRO-2 and ZeRO-3 do not combine with pipeline stages",
        "use zero=1, pp=1, or a framework that has it (torchtitan)",
    ),
    Reason.RECOMPUTE: (
        "recompute_layers goes with recompute=block, from 1 to the layers of a stage",
        "use recompute=full, or fewer recompute_layers",
    ),
    Reason.OFFLOAD: ("optimizer states are offloaded by ZeRO only", "use zero=1 or offload=0"),
}
"""Why, and what would work."""


def explain(flags: int) -> list[str]:
    """Return a sentence of why and of advice for each reason in `flags`."""
    return [
        f"{why}; {advice}" for reason, (why, advice) in EXPLANATIONS.items() if reason & int(flags)
    ]


def reasons(
    model: ModelSpec, work: Workload, cluster: Cluster, gpus: int, table: LayoutTable
) -> Ints:
    """Return the flags of each layout, shape (n,): a `Reason` each, 0 where it is legal."""
    flags = np.zeros(len(table), dtype=np.int64)
    for rules in (
        _ranks(model, gpus, cluster.gpus_per_node, table),
        _stages(model, work, table),
        _tokens(model, work, table),
        _experts(model, table),
        _states(model, table),
    ):
        for reason, broken in rules:
            flags |= np.where(broken, int(reason), 0)
    return flags


def _ranks(model: ModelSpec, gpus: int, gpus_per_node: int, t: LayoutTable) -> Iterator[Rule]:
    """Yield the rules of tensor parallelism, and that every GPU has work."""
    yield Reason.GPUS, t.tp * t.pp * t.dp * t.cp != gpus
    # Fewer GPUs than a node has are one node.
    yield Reason.NODE, _splits(min(gpus, gpus_per_node), t.tp)
    # Megatron-LM, transformer_config.py: heads and query groups over tp.
    yield Reason.HEADS, _splits(model.heads, t.tp)
    yield Reason.KV_HEADS, _splits(model.kv_heads, t.tp) & (t.tp % model.kv_heads != 0)
    dense = model.ffn if model.dense_layers else 0
    shared = model.experts.shared_ffn if model.experts else 0
    routed = model.experts.ffn if model.experts else 0
    yield Reason.FFN, _splits(dense, t.tp) | _splits(shared, t.tp) | _splits(routed, t.etp)


def _stages(model: ModelSpec, work: Workload, t: LayoutTable) -> Iterator[Rule]:
    """Yield the rules of pipelines."""
    chunks = t.pp * t.vpp
    # Megatron-LM, arguments.py: layers (with embedding and loss, if counted) over the stages.
    uneven = _splits(model.layers, chunks) & _splits(model.layers + 2, chunks)
    yield Reason.FEW_LAYERS, chunks > model.layers
    yield Reason.UNEVEN, uneven & (t.vpp == 1)
    yield Reason.LOST_LAYERS, uneven & (t.vpp > 1)
    # Megatron-LM, arguments.py: interleaving with and without overlapped transfers.
    yield Reason.INTERLEAVE, (t.vpp > 1) & (t.pp < np.where(t.pp_overlap > 0, 2, 3))
    # Groups of pp micro-batches, as Narayanan et al. (arXiv:2104.04473, section 2.2.2).
    micro_batches = work.global_batch / (t.dp * t.micro_batch)
    grouped = (t.schedule == Schedule.INTERLEAVED) | (t.schedule == Schedule.ZB_H1)
    yield Reason.INTERLEAVE_BATCH, (t.vpp > 1) & grouped & (micro_batches % t.pp != 0)
    yield Reason.SCHEDULE, ~schedule_runs(t, micro_batches, t.schedule)


def schedule_runs(t: LayoutTable, micro_batches: Floats, schedule: Floats) -> Bools:
    """Return where a schedule can run with a layout's pp and vpp; docs/schedules.md says why."""
    one, two, staged = t.vpp == 1, t.vpp == 2, t.pp > 1
    runs = {
        Schedule.GPIPE: one,
        Schedule.ONE_F_ONE_B: one,
        Schedule.INTERLEAVED: ~one,
        Schedule.LOOPED_BFS: ~one,
        Schedule.ZB_H1: staged,
        Schedule.ZB_H2: staged & one & (micro_batches >= 2 * t.pp - 1),
        Schedule.ZB_V: staged & two,
        Schedule.DUALPIPE: one & (t.pp % 2 + micro_batches % 2 == 0) & (micro_batches >= 2 * t.pp),
        Schedule.DUALPIPE_V: staged & two & (micro_batches >= 2 * t.pp),
    }
    return np.select([np.asarray(schedule == kind) for kind in runs], list(runs.values()), False)


def _tokens(model: ModelSpec, work: Workload, t: LayoutTable) -> Iterator[Rule]:
    """Yield the rules of batch and sequence."""
    yield Reason.BATCH, _splits(work.global_batch, t.dp * t.micro_batch)
    ring = (t.cp > 1) & (t.cp_all_to_all == 0)
    # The causal ring gives each rank one early and one late piece (Megatron-LM, arguments.py).
    yield Reason.SEQUENCE, _splits(work.seq, np.where(ring, 2, 1) * t.cp)
    # DeepSpeed-Ulysses (arXiv:2309.14509, section 3.2): ranks exchange sequence for heads.
    ranks = t.tp * t.cp
    kv = _splits(model.kv_heads, ranks) & (ranks % model.kv_heads != 0)
    yield Reason.ULYSSES, (t.cp_all_to_all > 0) & (_splits(model.heads, ranks) | kv)
    # Korthikanti et al. (arXiv:2205.05198, section 4.2.2); Megatron-LM, model_parallel_config.py.
    broken = (t.tp == 1) | _splits(model.hidden, t.tp) | _splits(work.seq, ranks)
    yield Reason.SEQUENCE_PARALLEL, (t.sp > 0) & broken


def _experts(model: ModelSpec, t: LayoutTable) -> Iterator[Rule]:
    """Yield the rules of expert parallelism (MoE parallel folding, arXiv:2504.14960)."""
    if model.experts is None:
        yield Reason.EXPERTS, (t.ep > 1) | (t.etp > 1)
        return
    # Megatron-LM, moe_layer.py: raised in training.
    yield Reason.EXPERT_SEQUENCE, (t.tp > 1) & (t.sp == 0)
    yield Reason.EXPERTS, _splits(model.experts.count, t.ep)
    yield Reason.FOLDING, (t.tp * t.cp * t.dp % (t.ep * t.etp) != 0) | (t.tp % t.etp != 0)


def _states(model: ModelSpec, t: LayoutTable) -> Iterator[Rule]:
    """Yield the rules of ZeRO and recomputation."""
    alone = (t.zero > 0) & (t.shard == 1)
    spread = (t.zero == 0) & (t.shard > 1)
    yield Reason.SHARD, alone | spread | (t.dp * t.cp % t.shard != 0)
    # DeepSpeed, pipe/engine.py: "ZeRO-2 and ZeRO-3 are incompatible with pipeline parallelism".
    yield Reason.ZERO_PIPELINE, (t.zero >= 2) & (t.pp > 1)
    block = t.recompute == Recompute.BLOCK
    within = (t.recompute_layers >= 1) & (
        t.recompute_layers <= stage_layers(model.layers, t.pp, t.vpp)
    )
    yield Reason.RECOMPUTE, np.where(block, ~within, t.recompute_layers != 0)
    yield Reason.OFFLOAD, (t.offload > 0) & (t.zero == 0)


def _splits(whole: int, parts: Floats) -> Bools:
    """Return where `whole` does not divide into `parts`."""
    return np.asarray(whole % parts != 0)
