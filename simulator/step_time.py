"""The time of a step from the costs of its parts: pipeline, overlap, what hides behind what."""

from dataclasses import dataclass, fields

import numpy as np

from plan3d.simulator.block import BlockTime, Pass
from plan3d.simulator.collectives import p2p_s
from plan3d.simulator.context import Context
from plan3d.simulator.ends import EndTime
from plan3d.simulator.gradient_sync import SyncTime, exposed_once_s, reduces_afterwards
from plan3d.simulator.layout import LayoutTable, Order, Recompute
from plan3d.simulator.model_states import gathering_passes, reduces_every, stays_gathered
from plan3d.simulator.numeric import Floats, Ints, Numeric
from plan3d.simulator.pipeline import StageLayers, bubble_s, idle_saved_s, one_rank_has_both_ends
from plan3d.simulator.software import Software
from plan3d.simulator.sync_groups import broadcasts

BLOCK_TERMS = (
    "matmul_s", "attention_s", "elementwise_s", "dispatch_s", "tp_comm_s", "cp_comm_s", "ep_comm_s",
)  # fmt: skip
"""Terms of `result.StepTime` that every block of every micro-batch adds to."""
BLOCK_LINKS = ("tp_link_s", "cp_link_s", "ep_link_s")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockCosts:
    """One micro-batch through one block and through the ends. Columns of shape (n,) [s]."""

    terms: dict[str, Floats]
    """Forward and backward together, by `BLOCK_TERMS` and `BLOCK_LINKS`."""
    forward_s: Floats
    backward_s: Floats
    weight_s: Floats
    """The weight gradients in `backward_s`."""
    replay_s: Floats
    """A whole block's forward pass again."""
    selective_s: Floats
    """What selective recomputation replays."""
    replay_links: dict[str, Floats]
    first_s: Floats
    last_s: Floats
    first_forward_s: Floats
    last_forward_s: Floats

    @classmethod
    def of(cls, software: Software, block: BlockTime, ends: EndTime) -> "BlockCosts":
        """Add up forward and backward."""
        names = BLOCK_TERMS + BLOCK_LINKS
        forward, backward = block.forward, block.backward
        return cls(
            terms={k: getattr(forward, k) + getattr(backward, k) for k in names},
            forward_s=forward.total_s,
            backward_s=backward.total_s,
            weight_s=block.weight_s,
            replay_s=forward.total_s - block.unreplayed_s,
            selective_s=_selective_s(software, forward),
            replay_links={k: getattr(forward, k) for k in BLOCK_LINKS},
            first_s=ends.first_s,
            last_s=ends.last_s,
            first_forward_s=ends.first_forward_s,
            last_forward_s=ends.last_forward_s,
        )

    def gather(self, rows: Ints) -> "BlockCosts":
        """Return some rows."""
        return BlockCosts(
            terms={k: v[rows] for k, v in self.terms.items()},
            replay_links={k: v[rows] for k, v in self.replay_links.items()},
            **{
                f.name: getattr(self, f.name)[rows]
                for f in fields(self)
                if f.name not in ("terms", "replay_links")
            },
        )


def _selective_s(software: Software, forward: Pass) -> Floats:
    """Return the part of a forward pass that selective recomputation replays [s]."""
    return (
        software.selective_attention * forward.attention_s
        + software.selective_matmul * forward.matmul_s
        + software.selective_tp * forward.tp_comm_s
        + software.selective_elementwise * forward.elementwise_s
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SyncCosts(SyncTime):
    """What a step costs whatever the micro-batch. Columns of shape (n,) [s]."""

    optimizer_s: Floats
    offload_s: Floats

    @classmethod
    def of(cls, sync: SyncTime, optimizer_s: Floats, offload_s: Floats) -> "SyncCosts":
        """Put the parts together."""
        shared = {f.name: getattr(sync, f.name) for f in fields(sync)}
        return cls(**shared, optimizer_s=optimizer_s, offload_s=offload_s)

    def gather(self, rows: Ints) -> "SyncCosts":
        """Return some rows."""
        return SyncCosts(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def recomputed_share(table: LayoutTable, layers: Floats) -> Floats:
    """Return the share of a stage's blocks, of `layers`, that full recomputation replays [1]."""
    some = np.minimum(table.recompute_layers / layers, 1.0)
    share = np.where(table.recompute == Recompute.BLOCK, some, 1.0)
    return np.where(table.recompute >= Recompute.FULL, share, 0.0)


def step_time(
    context: Context,
    table: LayoutTable,
    block: BlockCosts,
    sync: SyncCosts,
    stages: StageLayers,
    micro_batches: Floats,
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return the terms of `result.StepTime` and of `result.LinkTime` for every row."""
    n = stages.fullest
    share = recomputed_share(table, n)
    replay = np.where(
        table.recompute == Recompute.SELECTIVE, block.selective_s, share * block.replay_s
    )
    layer = block.forward_s + block.backward_s + replay
    visits = micro_batches * n
    slowest, everyone = _slowest(table, float(context.model.layers), stages, layer, block)
    send, transfers = sends(context, table)
    hidden_send = context.software.pp_overlap * table.pp_overlap
    time = {k: visits * block.terms[k] for k in BLOCK_TERMS}
    time["recompute_s"] = visits * replay
    time["ends_s"] = micro_batches * (slowest - n * layer)
    time["pp_comm_s"] = micro_batches * transfers * send * (1 - hidden_send)
    time["bubble_s"] = bubble_s(everyone, slowest, table.vpp) + fill_s(context, table)
    time["bubble_s"] = time["bubble_s"] - _saved_s(table, block, n, micro_batches, time["bubble_s"])
    exposed, link = _replica_s(context, table, block, sync, micro_batches, n, replay)
    time["dp_comm_s"] = exposed
    time["optimizer_s"] = sync.optimizer_s
    time["offload_s"] = sync.offload_s
    links = {k: visits * (block.terms[k] + share * block.replay_links[k]) for k in BLOCK_LINKS} | {
        "pp_link_s": micro_batches * transfers * send,
        "dp_link_s": link,
    }
    time["overhead_s"] = _overhead_s(context, table, time, links)
    return time, links


def _slowest(
    table: LayoutTable, layers: float, stages: StageLayers, layer_s: Floats, block: BlockCosts
) -> tuple[Floats, Floats]:
    """Return one micro-batch's time in the slowest stage, and in all stages together [s]."""
    ends = block.first_s + block.last_s
    body = stages.fullest * layer_s
    last = stages.last * layer_s + block.last_s
    first = body + np.where(stages.even > 0, block.first_s, 0.0)
    slowest = np.where(one_rank_has_both_ends(table), body + ends, np.maximum(first, last))
    return slowest, layers * layer_s + ends


def _saved_s(
    table: LayoutTable, block: BlockCosts, n: Floats, micro_batches: Floats, idle_s: Floats
) -> Floats:
    """Return the idle time that putting off weight gradients, or two directions, saves [s]."""
    work = n * (block.forward_s + block.backward_s)
    weight = n * block.weight_s
    saved = idle_saved_s(work, weight, table.pp, table.vpp, micro_batches, table.schedule)
    return np.minimum(np.where(table.pp > 1, saved, 0.0), idle_s)


def sends(context: Context, table: LayoutTable) -> tuple[Numeric, Numeric]:
    """Return the time of one transfer between stages, and transfers per micro-batch. [s], [1].

    A stage sends a boundary activation forward and receives its gradient, once per chunk. With
    sequence parallelism, or Megatron-LM's scatter/gather (arXiv:2104.04473, section 4.1), each
    tensor-parallel rank sends its part. What the software waits for beside the data, a stage
    between two others waits for twice.
    """
    work, cluster = context.work, context.cluster
    tokens = table.micro_batch * work.seq / table.cp
    size = tokens * context.model.hidden * work.precision.activation_bytes
    split = np.where(table.sp > 0, table.tp, 1.0)
    if context.software.scatter_gather:
        split = table.tp
    inner = table.tp * table.cp
    stride = np.where(table.order == Order.TP_CP_EP_PP_DP, inner, inner * table.dp)
    crosses = np.where(stride * table.pp > cluster.gpus_per_node, 1.0, 0.0)
    one = p2p_s(size / split, crosses, cluster) + _waits_s(context, table)
    send = np.where(table.pp > 1, one, 0.0)
    return send, 2 * table.vpp


def _waits_s(context: Context, table: LayoutTable) -> Numeric:
    """Return what a stage waits for beside the data, for a transfer of its own [s]."""
    return np.where(table.pp > 2, 2.0, 1.0) * context.software.send_overhead_s


def fill_s(context: Context, table: LayoutTable) -> Floats:
    """Return the time of the transfers while a pipeline fills and drains [s].

    The first micro-batch goes from end to end and back: each of its transfers waits once. What a
    stage waits in one micro-batch is part of that way.
    """
    send_s, _ = sends(context, table)
    waits = np.where(table.pp > 1, _waits_s(context, table), 0.0)
    once = np.where(table.pp > 1, context.software.send_overhead_s, 0.0)
    return np.asarray(2 * (table.pp - 1) * (send_s - waits + once) - 2 * waits)


def _replica_s(
    context: Context, table: LayoutTable, block: BlockCosts, sync: SyncCosts,
    micro_batches: Floats, n: Floats, replay_s: Floats,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Return exposed and link time of data parallelism in a step. [s].

    Gradients hide in the last micro-batch's backward pass, gathered parameters in the first
    one's forward; under ZeRO-3 each block's transfers hide in that block's own compute. What the
    replicas of a hybrid sharding all-reduce follows each reduction, beside the compute.
    """
    software = context.software
    afterwards = reduces_afterwards(software, table)
    on = np.where(afterwards, 0.0, table.dp_overlap)
    gathers_on = np.where(afterwards | broadcasts(software, table), 0.0, table.dp_overlap)
    every = np.where(reduces_every(software, table), micro_batches, 1.0)
    backward = n * (block.backward_s + replay_s)
    window = software.dp_overlap * on
    reduce = exposed_once_s(sync.reduce_s, window * backward, n, on)
    last = exposed_once_s(sync.reduce_s + sync.replicate_s, window * backward, n, on)
    forward = software.dp_overlap * gathers_on * n * block.forward_s
    gather = exposed_once_s(sync.gather_s, forward, n, gathers_on)
    once = (every - 1) * reduce + last + gather
    whole, traffic = _zero3_s(context, table, block, sync, micro_batches, every, n, replay_s)
    three = table.zero > 2
    exposed = np.where(three, whole, once) + sync.tied_s
    link = np.where(three, traffic, every * sync.reduce_s + sync.gather_s)
    return exposed, link + sync.replicate_s + sync.tied_s


def _zero3_s(
    context: Context, table: LayoutTable, block: BlockCosts, sync: SyncCosts,
    micro_batches: Floats, reductions: Floats, n: Floats, replay_s: Floats,
) -> tuple[Floats, Floats]:  # fmt: skip
    r"""Return exposed and link time of ZeRO-3 in a step [s].

    .. math:: l\,b B + (l - 1)\,\bigl(f F + r\,(\max(g + q - W_b, 0) - B)\bigr)
       + f\,(g + g_e) + r\,(q + q_e) + (f + b)\,c_g + r\,c_q + (m - r)\,c_s
       + [m > r]\,c_t

    with gathers *g* and reductions *q* of a block, which hide in its passes' *W*: *F* and *B* are
    what forward and backward do not hide of *g*. Of all passes *f* and *b* gather
    (`gathering_passes`), and *r* reduce, all or the last. Each pass forward waits for its first
    gathers, of a block and of the ends, *g_e*, copy and all (``_root_pre_forward``: the streams
    that gather wait for what was computed before), and each reduction ends with the last ones;
    those of the other *l* - 1 blocks hide. In nothing hides what a pipeline reduces after its last
    backward pass, nor the copies *c* that stand among the kernels, of what is gathered, reduced or
    summed (the first, *c_q*, the others, *c_s*, and the sum, *c_t*). Replicas all-reduce on a
    stream of their own (``all_reduce_stream``, ``foreach_reduce`` in PyTorch's
    fsdp/_fully_shard/_fsdp_collectives.py), in what the last backward pass leaves.
    """
    software = context.software
    share = software.zero3_overlap * table.dp_overlap
    gather, reduce = sync.block_gather_s, sync.block_reduce_s
    once = stays_gathered(software, table)
    forwards, backwards = gathering_passes(software, table, micro_batches)
    window = share * (block.backward_s + replay_s)
    ahead = np.maximum(gather - share * block.forward_s, 0.0)
    alone = np.maximum(gather - window, 0.0)
    more = np.where(once, reduce, np.maximum(gather + reduce - window, 0.0) - alone)
    late = (n - 1) * (forwards * ahead + reductions * more) + n * backwards * alone
    left = n * np.maximum(window - gather - reduce, 0.0)
    copies = exposed_once_s(sync.replicate_s, left, n, np.where(once, 0.0, share))
    ends = forwards * sync.ends_gather_s + reductions * sync.ends_reduce_s
    placed = (forwards + backwards) * sync.gather_copy_s + reductions * sync.reduce_copy_s
    placed = placed + (micro_batches - reductions) * sync.sum_copy_s
    placed = placed + np.where(micro_batches > reductions, sync.summed_copy_s, 0.0)
    bare = ends + placed
    whole = late + forwards * gather + reductions * reduce + copies + bare
    return whole, n * ((forwards + backwards) * gather + reductions * reduce) + bare


def _overhead_s(
    context: Context, table: LayoutTable, time: dict[str, Floats], links: dict[str, Floats]
) -> Floats:
    """Return what is fixed per step, lost to stragglers, and to computing beside NCCL [s]."""
    software = context.software
    nodes = np.maximum(
        table.tp * table.pp * table.dp * table.cp / context.cluster.gpus_per_node, 1.0
    )
    kernels = time["matmul_s"] + time["attention_s"] + time["elementwise_s"] + time["recompute_s"]
    exposed = ("tp_comm_s", "cp_comm_s", "ep_comm_s", "dp_comm_s")
    busy = links["tp_link_s"] + links["cp_link_s"] + links["ep_link_s"] + links["dp_link_s"]
    hidden = np.maximum(busy - sum(time[k] for k in exposed), 0.0)
    lost = software.straggler * np.log2(nodes) * kernels + software.contention * hidden
    return software.step_overhead_s + lost
