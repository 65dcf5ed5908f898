"""The space built from arrays is the one that nested loops over plain integers find."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, product
from math import ceil, gcd

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan3d.planner.constraints import parse_fix, parse_limit
from plan3d.planner.frameworks import ANY, FRAMEWORKS, named
from plan3d.planner.result import Job
from plan3d.planner.space import PRIMARY, space
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import FIELDS, LayoutTable
from plan3d.simulator.legality import reasons
from plan3d.simulator.model import Experts
from tests.planner.jobs import as_tuples, cluster, job, model

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
    interleaves: bool = True
    schedules: tuple[int, ...] = tuple(range(9))
    chunked: tuple[int, ...] = ()
    ring: bool = True
    ulysses: bool = True
    recompute: tuple[int, ...] = (NONE, SELECTIVE, FULL, BLOCK)
    expert_tp: bool = True
    overlap: tuple[int, int, int] = (1, 1, 1)


RULES = {
    "any": Rules(uneven=True, zero_with_stages=True),
    "megatron": Rules(schedules=(ONE_F_ONE_B, INTERLEAVED)),
    "nemo": Rules(schedules=(ONE_F_ONE_B, INTERLEAVED), zero=(0, 1)),
    "torchtitan": Rules(
        uneven=True, zero=(2, 3), zero_with_stages=True, ulysses=False,
        recompute=(NONE, SELECTIVE, FULL), expert_tp=False,
        schedules=(GPIPE, ONE_F_ONE_B, INTERLEAVED, LOOPED_BFS, ZB_H1, ZB_V, DUALPIPE_V),
        chunked=(ZB_H1,),
    ),
    "deepspeed": Rules(
        interleaves=False, schedules=(ONE_F_ONE_B, ZB_H1), ring=False, recompute=(NONE, FULL),
        overlap=(0, 1, 0),
    ),
    "nanotron": Rules(
        uneven=True, zero=(0, 1), hybrid=False, interleaves=False, ring=False, ulysses=False,
        recompute=(NONE, FULL), expert_tp=False, schedules=(GPIPE, ONE_F_ONE_B),
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
                if not experts_ok(job, rules, tp * cp * dp, ep, etp):
                    continue
                for schedule, (zero, shard), (kind, k) in product(
                    rules.schedules,
                    sharding(job, rules, tp, pp, cp * dp),
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


def sharding(job: Job, rules: Rules, tp: int, pp: int, ranks: int) -> set[tuple[int, int]]:
    if ranks == 1:
        return {(0, 1)}
    some = gcd(ranks, min(job.gpus, job.cluster.gpus_per_node) // tp)
    shards = {ranks} | ({some} if rules.hybrid and some > 1 else set())
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


def everything(job: Job, framework: str = "any", *, fix: tuple[str, ...] = ()) -> LayoutTable:
    constraints = tuple(parse_fix(text) for text in fix)
    chunks = list(space(job, named(framework), constraints).chunks())
    return LayoutTable.concatenate(chunks) if chunks else LayoutTable.of([])


MOE = Experts(count=4, top_k=2, ffn=24, shared_ffn=16)
JOBS = {
    "dense": job(8, model(layers=6, heads=4, kv_heads=2), batch=12, cluster=cluster(4)),
    "ends count as layers": job(16, model(layers=6), batch=8),
    "context": job(4, model(layers=2, heads=4), seq=24, batch=2, cluster=cluster(2)),
    "experts": job(8, model(layers=4, heads=4, experts=MOE), batch=4, cluster=cluster(4)),
    "96 GPUs": job(96, model(layers=12, heads=12, hidden=48), seq=48, batch=12),
    "a prime number": job(7, model(layers=7, heads=7, ffn=49, hidden=49), seq=98, batch=7),
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", JOBS)
def test_the_space_is_what_nested_loops_find(name: str, framework: str) -> None:
    found = as_tuples(everything(JOBS[name], framework))
    expected = set(nested_loops(JOBS[name], RULES[framework]))
    assert len(found) == len(set(found))
    assert set(found) == expected


@settings(max_examples=40, deadline=None)
@given(
    gpus=st.integers(1, 64),
    layers=st.integers(1, 16),
    heads=st.sampled_from([1, 2, 4, 6, 8]),
    batch=st.integers(1, 48),
    seq=st.sampled_from([8, 30, 64]),
    experts=st.sampled_from([None, MOE]),
    framework=st.sampled_from(sorted(FRAMEWORKS)),
)
def test_every_row_is_legal_once_and_canonical(
    gpus: int, layers: int, heads: int, batch: int, seq: int, experts: Experts | None,
    framework: str,
) -> None:  # fmt: skip
    question = job(gpus, model(layers=layers, heads=heads, experts=experts), seq, batch)
    table = everything(question, framework)
    flags = reasons(question.model, question.work, question.cluster, gpus, table)
    assert not np.any(flags & ~int(named(framework).tolerates))
    rows = as_tuples(table)
    assert len(set(rows)) == len(rows)
    assert not np.any((table.pp == 1) & (table.schedule != ONE_F_ONE_B))
    assert not np.any((table.dp * table.cp == 1) & (table.zero > 0))
    assert not np.any((table.cp == 1) & (table.cp_all_to_all > 0))
    keys = list(zip(*(getattr(table, axis).tolist() for axis in PRIMARY), strict=True))
    assert len([key for key, _ in groupby(keys)]) == len(set(keys))


def test_chunks_cut_the_same_space() -> None:
    """Rows come in the same order however they are cut: 96 GPUs need more than one chunk."""
    question = JOBS["96 GPUs"]
    pieces = list(space(question).chunks())
    assert len(pieces) > 1
    last = [tuple(getattr(pieces[0], axis)[-1] for axis in PRIMARY)]
    first = [tuple(getattr(pieces[1], axis)[0] for axis in PRIMARY)]
    assert last != first


@pytest.mark.parametrize(
    ("fix", "axis", "value"),
    [
        ("tp=2", "tp", 2),
        ("micro_batch=3", "micro_batch", 3),
        ("recompute=selective", "recompute", SELECTIVE),
        ("schedule=gpipe", "schedule", GPIPE),
        ("zero=3", "zero", 3),
        ("sp=on", "sp", 1),
        ("dp_overlap=off", "dp_overlap", 0),
        ("order=tp-cp-ep-pp-dp", "order", 1),
    ],
)
def test_a_fixed_axis_keeps_exactly_its_rows(fix: str, axis: str, value: int) -> None:
    question = JOBS["dense"]
    every = everything(question)
    some = everything(question, fix=(fix,))
    assert set(getattr(some, axis).tolist()) == {value}
    if axis not in ("dp_overlap", "order"):  # these are no part of the space unless fixed
        assert set(as_tuples(some)) == {
            row for row in as_tuples(every) if row[FIELDS.index(axis)] == value
        }


def test_values_off_the_grid_can_be_fixed() -> None:
    question = job(8, model(layers=16), batch=8)
    some = everything(question, fix=("recompute_layers=3", "pp=2"))
    assert set(some.recompute_layers.tolist()) == {3}
    assert set(some.recompute.tolist()) == {BLOCK}
    assert set(everything(question, fix=("zero=1", "shard=2")).shard.tolist()) == {2}
    experts = job(8, model(layers=4, experts=Experts(count=4, top_k=2, ffn=24)), batch=8)
    assert set(everything(experts, fix=("tp=8", "etp=2")).etp.tolist()) == {2}


def test_offload_needs_zero() -> None:
    some = everything(JOBS["dense"], fix=("offload=0.5",))
    assert set(some.offload.tolist()) == {0.5}
    assert set(some.zero.tolist()) == {1, 2, 3}


def test_a_limit_keeps_exactly_its_rows() -> None:
    question = JOBS["dense"]
    limited = space(question, ANY, (parse_limit("pp<=2"), parse_limit("tp>1"))).primary
    assert set(limited.pp.tolist()) == {1, 2}
    assert set(limited.tp.tolist()) == {2, 4}


def test_what_is_refused_is_counted_once_by_reason() -> None:
    """1021 is prime: tp, pp, cp or dp is 1021, and each is refused for a reason of its own."""
    question = job(1021, model(layers=96), seq=2048, batch=1536)
    empty = space(question)
    assert len(empty.primary) == 0
    assert dict(empty.refused) == {"node": 1, "few_layers": 1, "sequence": 1, "batch": 1}


def test_why_nothing_is_left_of_a_fixed_interleaving() -> None:
    empty = space(job(4, model(layers=8), batch=2), ANY, (parse_fix("vpp=2"), parse_fix("pp=4")))
    assert len(empty.primary) == 0
    assert empty.refused["interleave_batch"] == 1


@pytest.mark.parametrize("gpus", [0, -8, 10**7])
def test_absurd_numbers_of_gpus_are_refused(gpus: int) -> None:
    with pytest.raises(InputError, match="use a whole number from 1 to 1,000,000"):
        space(job(gpus))


def test_overlap_that_a_framework_lacks_cannot_be_asked_for() -> None:
    with pytest.raises(InputError, match="deepspeed does not overlap"):
        space(job(8), named("deepspeed"), (parse_fix("tp_overlap=on"),))
