"""From a run to its layout: as stated, or the layouts it may have had where a choice was free."""

import re
from dataclasses import replace
from typing import Final

from plan3d.planner.validation.choice import Choice, SkipError
from plan3d.planner.validation.runs import Run
from plan3d.simulator.layout import Layout, Recompute, Schedule
from plan3d.simulator.software import Software

ZERO_BUBBLE: Final = {
    "1p": Schedule.ZB_H1,
    "h1": Schedule.ZB_H1,
    "2p": Schedule.ZB_H2,
    "h2": Schedule.ZB_H2,
    "v": Schedule.ZB_V,
}
"""Zero-bubble schedules as sources name them (arXiv:2401.10241: ZB-1p and ZB-2p are searched within
the memory of H1 and H2)."""
ENDS: Final = 2
"""Layers that embedding and output may count as, where stages are cut evenly. [1]"""
LARGEST_MICRO_BATCH: Final = 64
"""Of a free choice. [sequences]"""


def layouts_of(run: Run, software: Software, global_batch: int) -> Choice[tuple[Layout, ...]]:
    """Return the layouts that a run may have had: one, unless the source leaves a choice open.

    Stated values stand, but for sequence parallelism in pipelines of software that has it only
    without them. An unstated dp follows from the GPUs; where tp*pp*cp*dp*ep is the number
    of GPUs, expert parallelism is a dimension of its own and is folded into dp. Unstated zero, sp
    and recompute are the framework's defaults. An unstated micro-batch is free. So is an unstated
    vpp where the source speaks of interleaving; elsewhere it is 1, every framework's default.
    """
    base, assumed = _degrees(run)
    zero = _zero(run)
    recompute = _recompute(run, base.pp)
    sp = int(software.sp_default if run.sp is None else run.sp) if base.tp > 1 else 0
    sp = 0 if software.plain_stages and base.pp > 1 else sp
    base = replace(
        base,
        zero=zero.value,
        shard=(run.shard or base.dp * base.cp) if zero.value else 1,
        sp=sp,
        recompute=recompute.value[0],
        recompute_layers=recompute.value[1],
        tp_overlap=0 if "vanilla tp" in run.said else 1,
        etp=_expert_tp(run, base),
    )
    free = _free(run, base, global_batch)
    sp_assumed = (f"sp={sp}",) if run.sp is None and base.tp > 1 else ()
    return Choice(
        free.value,
        (
            *assumed,
            *zero.assumed,
            *recompute.assumed,
            *sp_assumed,
            *free.assumed,
            *_not_modelled(run),
        ),
    )


def global_batch_of(run: Run) -> Choice[int]:
    """Return the sequences of a step; unstated, one micro-batch per replica.

    Where the stated batch does not divide over the replicas, the nearest one that does.
    """
    base, _ = _degrees(run)
    # An expert dimension of its own sees every sequence once per expert rank.
    copies = base.dp // run.dp if run.dp else 1
    if run.global_batch is None:
        return Choice(base.dp * (run.micro_batch or 1), ("global_batch=dp*micro_batch",))
    batch = run.global_batch * copies
    unit = base.dp * (run.micro_batch or 1)
    if batch % unit == 0:
        return Choice(batch)
    return Choice(max(1, round(batch / unit)) * unit, ("global_batch rounded to dp*micro_batch",))


def _degrees(run: Run) -> Choice[Layout]:
    """Return the layout with its degrees only."""
    if run.gpus > 1 and (run.tp is None or run.pp is None):
        raise SkipError("no layout published")
    tp, pp, cp = run.tp or 1, run.pp or 1, run.cp or 1
    ranks = tp * pp * cp
    dp = run.dp or run.gpus // ranks
    own_dimension = run.ep or 1
    if ranks * dp == run.gpus:
        own_dimension = 1
    elif ranks * dp * own_dimension != run.gpus:
        raise SkipError(
            "tp*pp*cp*dp is not the number of GPUs",
            f"columns tp {tp}, pp {pp}, cp {cp}, dp {run.dp or 'unstated'} and ep "
            f"{run.ep or 'unstated'} do not multiply to gpus {run.gpus}",
        )
    if run.heads % tp:
        raise SkipError("impossible layout", f"column tp {tp} does not divide heads {run.heads}")
    if pp * (run.vpp or 1) > run.layers + ENDS:
        raise SkipError(
            "impossible layout",
            f"columns pp {pp} times vpp {run.vpp or 1} are more stages than layers {run.layers}",
        )
    _check_shares(run, dp)
    layout = Layout(tp=tp, pp=pp, cp=cp, ep=run.ep or 1, dp=dp * own_dimension)
    return Choice(layout, ("ep folded into dp",) if own_dimension > 1 else ())


def _check_shares(run: Run, dp: int) -> None:
    """Refuse experts or sequences that the ranks cannot share out."""
    if (run.experts or 1) % (run.ep or 1):
        raise SkipError(
            "impossible layout",
            f"column ep {run.ep} does not divide experts {run.experts or 'unstated'}",
        )
    together = dp * (run.micro_batch or 1)
    if run.global_batch is not None and together > run.global_batch:
        raise SkipError(
            "impossible layout",
            f"columns dp {dp} times micro_batch {run.micro_batch or 'unstated'} are more "
            f"sequences than global_batch {run.global_batch}",
        )


def _zero(run: Run) -> Choice[int]:
    if run.zero is not None:
        return Choice(run.zero)
    words = run.framework.lower()
    stage = 3 if re.search("fsdp|zero-3", words) else 1 if "zero-1" in words else 0
    return Choice(stage, (f"zero={stage}",))


def _recompute(run: Run, stages: int) -> Choice[tuple[Recompute, int]]:
    """Return what is recomputed, and in how many layers of a stage if not in all."""
    text = run.recompute.lower()
    blocks = re.search(r"block with (\d+) layers", run.said)
    if blocks and int(blocks[1]) > 0:
        return Choice((Recompute.BLOCK, int(blocks[1])))
    if "ac: selective layer" in run.said:  # torchtitan: every second layer
        return Choice((Recompute.BLOCK, run.layers // stages // 2))
    for kind in (Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL):
        if text.startswith(kind.name.lower()):
            exact = text == kind.name.lower()
            return Choice(
                (kind, 0),
                () if exact else (f"recompute={kind.name.lower()} stands for another kind",),
            )
    if text:
        said = f"column recompute is {run.recompute!r}: none, selective or full"
        raise SkipError(f"unknown recomputation {text[:40]}", said)
    # Defaults: torchtitan's configs recompute selectively, MaxText's remat_policy is full.
    words = run.framework.lower()
    kind = Recompute.SELECTIVE if "torchtitan" in words else Recompute.NONE
    kind = Recompute.FULL if "jax" in words else kind
    return Choice((kind, 0), (f"recompute={kind.name.lower()}",))


def _expert_tp(run: Run, base: Layout) -> int:
    """Return the tensor parallelism of the experts: Megatron-Core's default is that of the rest."""
    stated = re.search(r"etp=(\d+)", run.said)
    if stated:
        return int(stated[1])
    return base.tp if run.experts and "megatron" in run.framework.lower() else 1


def _free(run: Run, base: Layout, global_batch: int) -> Choice[tuple[Layout, ...]]:
    """Return the layouts over the free choices of micro-batch and interleaving."""
    share = global_batch // base.dp
    micro_batches = [run.micro_batch] if run.micro_batch else _divisors(share)
    interleaves = "interleav" in run.said and "no interleav" not in run.said
    depths = [1] if base.pp == 1 else [run.vpp] if run.vpp else [1]
    # Embedding and output count as a layer each where only then the stages are even.
    even = next((n for n in (run.layers, run.layers + ENDS) if n % base.pp == 0), 0)
    if base.pp > 1 and run.vpp is None and interleaves and even:
        depths = _divisors(even // base.pp)
    found = tuple(
        replace(
            base,
            micro_batch=micro_batch,
            vpp=depth,
            schedule=_schedule(run, depth) if base.pp > 1 else Schedule.ONE_F_ONE_B,
        )
        for micro_batch in micro_batches
        for depth in depths
        # Megatron-LM interleaves only if the micro-batches divide by the stages.
        if depth == 1 or run.vpp or share // micro_batch % base.pp == 0
    )
    return Choice(
        found,
        (
            *(("micro_batch: the best",) if len(micro_batches) > 1 else ()),
            *(("vpp: the best",) if len(depths) > 1 else ()),
        ),
    )


def _schedule(run: Run, depth: int) -> Schedule:
    """Return the schedule that a source names, or the plain one of its chunks."""
    named = re.search(r"zb-?(1p|2p|v|h1|h2)\b", run.framework.lower())
    plain = Schedule.INTERLEAVED if depth > 1 else Schedule.ONE_F_ONE_B
    return ZERO_BUBBLE[named[1]] if named else plain


def _divisors(n: int) -> list[int]:
    return [d for d in range(1, min(n, LARGEST_MICRO_BATCH) + 1) if n % d == 0]


def _not_modelled(run: Run) -> tuple[str, ...]:
    """Return what the source says that the layout cannot express."""
    found = []
    if (share := re.search(r"offload ratio alpha=([\d.]+)", run.said)) and float(share[1]) > 0:
        found.append("activations move to the host in no time")
    return tuple(found)
