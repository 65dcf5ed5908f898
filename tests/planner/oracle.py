"""The space of layouts a second time: nested loops over plain whole numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil, gcd

from plan3d.planner.result import Job

GPIPE, ONE_F_ONE_B, INTERLEAVED, LOOPED_BFS = 0, 1, 2, 3
ZB_H1, ZB_H2, ZB_V, DUALPIPE, DUALPIPE_V = 4, 5, 6, 7, 8
NONE, SELECTIVE, FULL, BLOCK = 0, 1, 2, 3


@dataclass(frozen=True)
class Rules:
    """What a framework allows, written down a second time."""

    uneven: bool = False
    zero: tuple[int, ...] = (0, 1, 2, 3)
    zero_with_stages: bool = False
    hybrid: bool = True
    context_apart: bool = True
    experts_alone: bool = False
    interleaves: bool = True
    schedules: tuple[int, ...] = tuple(range(9))
    chunked: tuple[int, ...] = ()
    context_alone: bool = False
    ring: bool = True
    ulysses: bool = True
    recompute: tuple[int, ...] = (NONE, SELECTIVE, FULL, BLOCK)
    expert_tp: bool = True
    overlap: tuple[int, int, int] = (1, 1, 1)


RULES = {
    "any": Rules(uneven=True, zero_with_stages=True, experts_alone=True),
    "megatron": Rules(uneven=True, schedules=(ONE_F_ONE_B, INTERLEAVED)),
    "nemo": Rules(uneven=True, schedules=(ONE_F_ONE_B, INTERLEAVED), zero=(0, 1)),
    "torchtitan": Rules(
        uneven=True, zero=(2, 3), zero_with_stages=True, ulysses=False,
        recompute=(NONE, SELECTIVE, FULL), expert_tp=False, experts_alone=True, context_apart=False,
        schedules=(GPIPE, ONE_F_ONE_B, INTERLEAVED, LOOPED_BFS, ZB_H1, ZB_V, DUALPIPE_V),
        chunked=(ZB_H1,),
    ),
    "deepspeed": Rules(
        interleaves=False, schedules=(ONE_F_ONE_B, ZB_H1), context_alone=True, ring=False,
        recompute=(NONE, FULL), hybrid=False, experts_alone=True,
        overlap=(0, 1, 0),
    ),
    "nanotron": Rules(
        uneven=True, zero=(0, 1), hybrid=False, interleaves=False, ring=False, ulysses=False,
        recompute=(NONE, FULL), expert_tp=False, experts_alone=True,
        schedules=(GPIPE, ONE_F_ONE_B),
    ),
}  # fmt: skip


def nested_loops(job: Job, rules: Rules) -> Iterator[tuple[float, ...]]:
    """Yield every layout, in the order of the fields of `Layout`."""
    degrees = [d for d in range(1, job.gpus + 1) if job.gpus % d == 0]
    spec, batch = job.model, job.work.global_batch
    experts = spec.experts.count if spec.experts else 1
    for tp, pp, cp, dp in product(degrees, repeat=4):
        if tp * pp * cp * dp != job.gpus:
            continue
        for vpp, mb in product(range(1, spec.layers + 1), range(1, batch + 1)):
            if not (tp_ok(job, tp) and stages_ok(job, rules, pp, vpp, dp, mb)):
                continue
            for a2a, sp, ep, etp in product((0, 1), (0, 1), range(1, experts + 1), {1, tp}):
                if not cp_ok(job, rules, tp, cp, a2a) or not sp_ok(job, tp, cp, sp):
                    continue
                if rules.context_alone and cp > 1 and tp * pp > 1:
                    continue
                if not experts_ok(job, rules, tp * cp * dp, ep, etp):
                    continue
                if spec.experts and tp > 1 and not sp and not rules.experts_alone:
                    continue
                for schedule, (zero, shard), (kind, k) in product(
                    rules.schedules,
                    sharding(job, rules, tp, pp, cp, dp),
                    recomputation(job, rules, pp, vpp),
                ):
                    if not schedule_ok(rules, schedule, pp, vpp, batch // (dp * mb)):
                        continue
                    yield (
                        tp, pp, dp, cp, ep, etp, vpp, mb, zero, shard, sp, kind, k, schedule, a2a,
                        *rules.overlap, 0, 0,
                    )  # fmt: skip


def tp_ok(job: Job, tp: int) -> bool:
    spec = job.model
    kv = spec.kv_heads % tp == 0 or tp % spec.kv_heads == 0
    widths = [spec.ffn] if spec.dense_layers else []
    if spec.experts and spec.experts.shared_ffn:
        widths.append(spec.experts.shared_ffn)
    node = min(job.gpus, job.cluster.gpus_per_node)
    return node % tp == 0 and spec.heads % tp == 0 and kv and all(w % tp == 0 for w in widths)


def stages_ok(job: Job, rules: Rules, pp: int, vpp: int, dp: int, mb: int) -> bool:
    layers, batch = job.model.layers, job.work.global_batch
    if batch % (dp * mb) or pp * vpp > layers:
        return False
    even = layers % (pp * vpp) == 0 or (layers + 2) % (pp * vpp) == 0
    if vpp == 1:
        return even or rules.uneven
    return rules.interleaves and even and pp > 1 and batch // (dp * mb) % pp == 0


def schedule_ok(rules: Rules, schedule: int, pp: int, vpp: int, m: int) -> bool:
    if schedule in (ONE_F_ONE_B, INTERLEAVED):
        return (schedule == INTERLEAVED) == (vpp > 1)
    if pp == 1 or m == 1 or (vpp == 1 and schedule in rules.chunked):
        return False
    if schedule in (GPIPE, ZB_H2, DUALPIPE) and vpp > 1:
        return False
    if schedule in (ZB_V, DUALPIPE_V) and vpp != 2:
        return False
    if schedule == LOOPED_BFS and vpp == 1:
        return False
    least = {ZB_H2: 2 * pp - 1, DUALPIPE: 2 * pp, DUALPIPE_V: 2 * pp}.get(schedule, 1)
    even = pp % 2 == 0 and m % 2 == 0
    return m >= least and (schedule != DUALPIPE or even)


def cp_ok(job: Job, rules: Rules, tp: int, cp: int, a2a: int) -> bool:
    heads, kv, seq = job.model.heads, job.model.kv_heads, job.work.seq
    if cp == 1:
        return a2a == 0
    if a2a == 0:
        return rules.ring and seq % (2 * cp) == 0
    kv_ok = kv % (tp * cp) == 0 or (tp * cp) % kv == 0
    return rules.ulysses and seq % cp == 0 and heads % (tp * cp) == 0 and kv_ok


def sp_ok(job: Job, tp: int, cp: int, sp: int) -> bool:
    return sp == 0 or (tp > 1 and job.model.hidden % tp == 0 and job.work.seq % (tp * cp) == 0)


def experts_ok(job: Job, rules: Rules, ranks: int, ep: int, etp: int) -> bool:
    experts = job.model.experts
    if experts is None:
        return ep == etp == 1
    return (
        experts.count % ep == 0
        and ranks % (ep * etp) == 0
        and experts.ffn % etp == 0
        and (etp == 1 or rules.expert_tp)
    )


def sharding(job: Job, rules: Rules, tp: int, pp: int, cp: int, dp: int) -> set[tuple[int, int]]:
    ranks = cp * dp
    if ranks == 1:
        return {(0, 1)}
    some = gcd(ranks, min(job.gpus, job.cluster.gpus_per_node) // tp)
    hybrid = rules.hybrid and some > 1 and (rules.context_apart or some % cp == 0)
    shards = {ranks} | ({some} if hybrid else set())
    staged = pp == 1 or rules.zero_with_stages
    plain = {(0, 1)} if 0 in rules.zero else set()
    return plain | {
        (zero, shard)
        for zero, shard in product(rules.zero, shards)
        if zero and (zero == 1 or staged)
    }


def recomputation(job: Job, rules: Rules, pp: int, vpp: int) -> set[tuple[int, int]]:
    """Return kinds and layers: of n in the fullest stage about a quarter, half, three quarters."""
    layers = job.model.layers
    n = vpp * ceil(layers / (pp * vpp))
    if layers % (pp * vpp) and (layers + 2) % (pp * vpp) == 0 and pp > 1:
        n = (layers + 2) // pp - (1 if pp == 2 else 0)  # both ends stand on one of two stages each
    blocks = {int(n * q / 4 + 0.5) for q in (1, 2, 3)}
    some = {(BLOCK, k) for k in blocks if 1 <= k < n} if BLOCK in rules.recompute else set()
    return some | {(kind, 0) for kind in rules.recompute if kind != BLOCK}
