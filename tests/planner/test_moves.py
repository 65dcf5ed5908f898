"""A layout changed in an axis: what must follows, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.planner.frameworks import FRAMEWORKS, lacking
from plan3d.planner.moves import Move, moves
from plan3d.simulator.layout import Layout, LayoutTable, Recompute, Schedule
from plan3d.simulator.legality import reasons
from plan3d.simulator.model import Experts
from tests.planner.jobs import job, model

JOB = job(32, batch=32)
MEGATRON = FRAMEWORKS["megatron"]


def moved(layout: Layout, framework: str = "megatron", **wish: float) -> Move:
    return moves(JOB, FRAMEWORKS[framework], layout, [wish])[0]


def test_replicas_follow_and_zero_shards_over_them() -> None:
    old = Layout(tp=2, sp=1, pp=2, dp=8, zero=1, shard=8)
    assert moved(old, tp=4).layout == Layout(tp=4, sp=1, pp=2, dp=4, zero=1, shard=4)


def test_hybrid_sharding_stays_as_it_is_where_it_can() -> None:
    old = Layout(dp=32, zero=3, shard=8)
    assert moved(old, tp=2).layout == Layout(tp=2, dp=16, zero=3, shard=8, sp=1)


def test_a_shard_holds_the_context_parallel_ranks_where_it_must() -> None:
    """Groups of 2 cannot hold 4 context-parallel ranks: FSDP shards over all 32 then."""
    old = Layout(dp=32, zero=3, shard=2)
    assert moved(old, "torchtitan", cp=4).layout == Layout(dp=8, cp=4, zero=3, shard=32)
    assert moved(old, "torchtitan", cp=2).layout == Layout(dp=16, cp=2, zero=3, shard=2)
    assert moved(old, "megatron", cp=4).layout == Layout(dp=8, cp=4, zero=3, shard=2)


def test_a_single_stage_has_no_chunks() -> None:
    old = Layout(pp=4, dp=8, vpp=2, schedule=Schedule.INTERLEAVED)
    assert moved(old, pp=1).layout == Layout(dp=32)


def test_the_micro_batch_shrinks_where_the_batch_asks_for_it() -> None:
    """A batch of 32 over 16 replicas leaves 2 sequences for each."""
    assert moved(Layout(tp=4, sp=1, dp=8, micro_batch=4), tp=2).layout == Layout(
        tp=2, sp=1, dp=16, micro_batch=2
    )


def test_chunks_shrink_where_the_layers_ask_for_it() -> None:
    """8 layers on 4 stages of 2 chunks are 8 pieces; on 8 stages there is one layer for each."""
    old = Layout(pp=4, dp=8, vpp=2, schedule=Schedule.INTERLEAVED)
    assert moved(old, pp=8).layout == Layout(pp=8, dp=4)


def test_several_axes_at_once() -> None:
    found = moved(Layout(tp=2, sp=1, dp=16), tp=1, zero=3)
    assert found.layout == Layout(dp=32, zero=3, shard=32)


def test_a_refusal_says_why() -> None:
    refused = moved(Layout(dp=32), tp=3)
    assert refused.layout is None
    assert "tp * pp * dp * cp is not the number of GPUs" in refused.refused
    assert (
        "nanotron has no recompute=selective"
        in moved(Layout(dp=32), "nanotron", recompute=Recompute.SELECTIVE).refused
    )


def test_no_wish_no_move() -> None:
    assert moves(JOB, MEGATRON, Layout(dp=32), []) == ()


EXPERTS = job(32, model(experts=Experts(count=4, top_k=2, ffn=128)), batch=32)


def test_experts_follow() -> None:
    """With ep=4 and dp=8, 32 ranks hold them; on tp=1, pp=8 only 4 are left, which is enough."""
    old = Layout(tp=2, sp=1, etp=2, dp=16, ep=4)
    found = moves(EXPERTS, MEGATRON, old, [{"tp": 1, "pp": 8}])[0].layout
    assert found == Layout(pp=8, dp=4, ep=4)


wishes = st.fixed_dictionaries(
    {},
    optional={
        "tp": st.sampled_from([1, 2, 3, 4, 8]),
        "pp": st.sampled_from([1, 2, 4, 8]),
        "cp": st.sampled_from([1, 2, 4]),
        "zero": st.sampled_from([0, 1, 2, 3]),
        "micro_batch": st.sampled_from([1, 2, 3, 4]),
        "vpp": st.sampled_from([1, 2, 4]),
        "recompute": st.sampled_from([0, 1, 2]),
    },
)


@given(wish=wishes, name=st.sampled_from(sorted(FRAMEWORKS)))
def test_what_comes_of_it_is_legal_and_as_wished(wish: dict[str, float], name: str) -> None:
    framework = FRAMEWORKS[name]
    found = moves(JOB, framework, Layout(tp=2, sp=1, pp=2, dp=8, micro_batch=2), [wish])[0]
    assert (found.layout is None) == bool(found.refused)
    if found.layout is not None:
        assert all(getattr(found.layout, axis) == value for axis, value in wish.items())
        flags = reasons(JOB.model, JOB.work, JOB.cluster, 32, LayoutTable.of([found.layout]))
        assert int(flags[0]) & ~int(framework.tolerates) == 0
        assert lacking(framework, found.layout) == ()


@pytest.mark.parametrize("name", sorted(FRAMEWORKS))
def test_to_stay_is_no_departure(name: str) -> None:
    stage = min(FRAMEWORKS[name].zero)
    old = Layout(tp=2, sp=1, pp=2, dp=8, zero=stage, shard=8 if stage else 1)
    (found,) = moves(JOB, FRAMEWORKS[name], old, [{"tp": 2}])
    assert found.layout == old
