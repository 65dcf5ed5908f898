"""The space built from arrays is the one that nested loops over plain integers find."""

from itertools import groupby

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
from tests.planner.oracle import BLOCK, GPIPE, ONE_F_ONE_B, RULES, SELECTIVE, nested_loops


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
