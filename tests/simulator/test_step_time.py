"""A step from its parts: pipelines played out, what hides behind what, by hand."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from plan3d.simulator.block import BlockTime, block_time
from plan3d.simulator.context import Context
from plan3d.simulator.ends import end_time
from plan3d.simulator.estimate import estimate
from plan3d.simulator.gradient_sync import sync_time
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.layout import Layout, Order, Recompute, Schedule
from plan3d.simulator.memory import Place, place_params
from plan3d.simulator.model import Experts, ModelSpec
from plan3d.simulator.pipeline import StageLayers
from plan3d.simulator.result import Estimate
from plan3d.simulator.software import Software
from plan3d.simulator.step_time import recomputed_share
from tests.simulator.jobs import DGX, GPT, PLAIN, WIRE, WORK, one
from tests.simulator.schedules import play


def free_sends(cluster: Cluster) -> Cluster:
    return replace(
        cluster,
        node=replace(cluster.node, p2p_latency_s=0.0, p2p_bytes_per_s=np.inf),
        network=replace(cluster.network, p2p_latency_s=0.0, p2p_efficiency=np.inf),
    )


FREE_SENDS = free_sends(DGX)


def run(
    layout: Layout, cluster: Cluster = DGX, model: ModelSpec = GPT, **software: Any
) -> Estimate:
    return estimate(model, WORK, cluster, replace(PLAIN, **software), layout)


def parts(
    layout: Layout, cluster: Cluster = DGX, model: ModelSpec = GPT, software: Software = PLAIN
) -> tuple[BlockTime, float, float]:
    """A block, and the two ends together with their gradients."""
    context = Context(model=model, work=WORK, cluster=cluster, software=software)
    ends = end_time(context, one(layout))
    return block_time(context, one(layout)), float(ends.first_s[0]), float(ends.last_s[0])


def pipeline_s(found: Estimate) -> float:
    """The step without what comes after the last backward pass."""
    return found.step_time_s - found.time.dp_comm_s - found.time.optimizer_s


@pytest.mark.parametrize("pp", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("micro_batch", [1, 16])
def test_a_pipeline_with_slow_ends(pp: int, micro_batch: int) -> None:
    """GPipe exactly; 1F1B is within 1 %, the last stage being the slow one."""
    model = replace(GPT, vocab=20000)
    layout = Layout(pp=pp, micro_batch=micro_batch, schedule=Schedule.GPIPE)
    block, first_s, last_s = parts(layout, FREE_SENDS, model)
    forward = [12 / pp * float(block.forward.total_s[0])] * pp
    backward = [12 / pp * float(block.backward.total_s[0])] * pp
    backward[0] += first_s
    backward[-1] += last_s
    m = 64 // micro_batch
    found = run(layout, FREE_SENDS, model)
    assert pipeline_s(found) == pytest.approx(play(forward, backward, m, gpipe=True))
    one_f_one_b = run(replace(layout, schedule=Schedule.ONE_F_ONE_B), FREE_SENDS, model)
    assert pipeline_s(one_f_one_b) == pytest.approx(play(forward, backward, m), rel=0.01)


@pytest.mark.parametrize("vpp", [2, 3])
def test_an_interleaved_pipeline(vpp: int) -> None:
    """Ends that cost nearly nothing: a vocabulary of one, 2,048 blocks' worth of tokens."""
    model = replace(GPT, layers=24, vocab=1)
    layout = Layout(pp=4, vpp=vpp, micro_batch=2, schedule=Schedule.INTERLEAVED)
    block, first_s, last_s = parts(layout, FREE_SENDS, model)
    forward, backward = (6 * float(p.total_s[0]) for p in (block.forward, block.backward))
    played = play([forward] * 4, [backward] * 4, 32, vpp)
    found = pipeline_s(run(layout, FREE_SENDS, model))
    assert played <= found <= played + 33 * (first_s + last_s)


def test_without_a_pipeline_every_pass_is_in_sequence() -> None:
    layout = Layout(micro_batch=2)
    block, first_s, last_s = parts(layout)
    found = run(layout)
    assert found.time.bubble_s == found.time.pp_comm_s == 0
    layers_s = 32 * 12 * float(block.forward.total_s[0] + block.backward.total_s[0])
    assert pipeline_s(found) == pytest.approx(layers_s + 32 * (first_s + last_s))
    assert found.time.ends_s == pytest.approx(32 * (first_s + last_s))


@pytest.mark.parametrize(
    ("recompute", "k", "replayed"),
    [(Recompute.NONE, 0, 0.0), (Recompute.FULL, 0, 1.0), (Recompute.BLOCK, 3, 0.25),
     (Recompute.BLOCK, 100, 1.0)],
)  # fmt: skip
def test_whole_blocks_are_replayed(recompute: Recompute, k: int, replayed: float) -> None:
    layout = Layout(tp=2, recompute=recompute, recompute_layers=k)
    block, _, _ = parts(layout)
    found = run(layout)
    again = replayed * 64 * 12
    assert found.time.recompute_s == pytest.approx(again * block.forward.total_s[0])
    links = 64 * 12 * (block.forward.tp_link_s[0] + block.backward.tp_link_s[0])
    assert found.link.tp_link_s == pytest.approx(links + again * block.forward.tp_link_s[0])
    assert recomputed_share(one(layout), np.array([12.0]))[0] == replayed


def test_selective_recompute_replays_what_the_software_says() -> None:
    layout = Layout(tp=2, recompute=Recompute.SELECTIVE)
    block, _, _ = parts(layout)
    shares: dict[str, Any] = {
        "selective_attention": 0.5,
        "selective_matmul": 0.25,
        "selective_elementwise": 0.75,
        "selective_tp": 0.125,
    }
    found = run(layout, **shares)
    forward = block.forward
    again = 0.5 * forward.attention_s + 0.25 * forward.matmul_s + 0.75 * forward.elementwise_s
    again = again + 0.125 * forward.tp_comm_s
    assert found.time.recompute_s == pytest.approx(64 * 12 * again[0])


STREAM = 2 * 1024 * 512 * 2
"""Bytes between stages: two sequences of GPT in 16 bits."""


@pytest.mark.parametrize(
    ("layout", "software", "send_s", "sends", "hidden"),
    [
        pytest.param(Layout(pp=4), {}, STREAM / 50, 2, 0.0, id="there and back"),
        pytest.param(Layout(pp=4, dp=4), {}, STREAM / 5, 2, 0.0, id="over nodes"),
        pytest.param(
            Layout(pp=4, dp=4, order=Order.TP_CP_EP_PP_DP), {}, STREAM / 50, 2, 0.0,
            id="stages first",
        ),
        pytest.param(
            Layout(pp=4, vpp=3, schedule=Schedule.INTERLEAVED), {}, STREAM / 50, 6, 0.0,
            id="three times as often",
        ),
        pytest.param(Layout(pp=4, tp=2), {}, STREAM / 50, 2, 0.0, id="each rank sends all"),
        pytest.param(Layout(pp=4, tp=2, sp=1), {}, STREAM / 100, 2, 0.0, id="its part"),
        pytest.param(
            Layout(pp=4, tp=2), {"scatter_gather": True}, STREAM / 100, 2, 0.0, id="scattered"
        ),
        pytest.param(Layout(pp=4), {"pp_overlap": 0.75}, STREAM / 50, 2, 0.75, id="hidden"),
        pytest.param(
            Layout(pp=4, pp_overlap=0), {"pp_overlap": 0.75}, STREAM / 50, 2, 0.0, id="or not"
        ),
        pytest.param(Layout(pp=2, cp=2), {}, STREAM / 100, 2, 0.0, id="half of the tokens"),
        pytest.param(Layout(), {}, 0.0, 2, 0.0, id="one stage"),
    ],
)  # fmt: skip
def test_sends(
    layout: Layout, software: Mapping[str, Any], send_s: float, sends: int, hidden: float
) -> None:
    """The first and the last micro-batch pass all stages: those sends are part of the bubble."""
    layout = replace(layout, micro_batch=2)
    micro_batches = 32 / layout.dp
    found = run(layout, WIRE, **software)
    assert found.link.pp_link_s == pytest.approx(micro_batches * sends * send_s)
    assert found.time.pp_comm_s == pytest.approx(found.link.pp_link_s * (1 - hidden))
    free = run(layout, free_sends(WIRE), **software)
    filling = 2 * (layout.pp - 1) * send_s
    if layout.cp == 1:  # a context-parallel ring sends too
        assert found.time.bubble_s - free.time.bubble_s == pytest.approx(filling, rel=1e-6)


def replicas(layout: Layout, software: Software = PLAIN) -> dict[str, float]:
    """Link times of data parallelism on DGX."""
    context = Context(model=GPT, work=WORK, cluster=DGX, software=software)
    part = place_params(
        context,
        one(layout),
        StageLayers.of(float(context.model.layers), one(layout)),
        Place(first=True, last=layout.pp == 1),
    )
    found = sync_time(context, one(layout), part, np.zeros(1))
    return {name: float(getattr(found, name)[0]) for name in type(found).__dataclass_fields__}


@pytest.mark.parametrize(("pp", "neighbours"), [(1, 0), (2, 1), (4, 2)])
def test_a_transfer_waits_for_each_neighbour(pp: int, neighbours: int) -> None:
    layout = Layout(pp=pp)
    waits, plain = run(layout, WIRE, send_overhead_s=3.0), run(layout, WIRE)
    sent = waits.link.pp_link_s - plain.link.pp_link_s
    assert sent == pytest.approx(WORK.global_batch * 2 * neighbours * 3.0)


@pytest.mark.parametrize(("pp", "waits"), [(1, 0), (2, 0), (3, 0), (4, 2), (6, 6)])
def test_a_pipeline_fills_with_one_wait_for_each_transfer(pp: int, waits: int) -> None:
    """There and back, 2 (pp - 1), less the 2 or 4 that are a stage's own."""
    layout = Layout(pp=pp)
    found, plain = run(layout, WIRE, send_overhead_s=3.0), run(layout, WIRE)
    assert found.time.bubble_s - plain.time.bubble_s == pytest.approx(waits * 3.0)


@pytest.mark.parametrize("zero", [1, 2])
def test_zero_1_may_hide_nothing(zero: int) -> None:
    layout = Layout(dp=16, zero=zero, shard=16)
    hidden, shown = (
        run(layout, dp_overlap=1.0, zero1_afterwards=after).time.dp_comm_s
        for after in (False, True)
    )
    every = run(Layout(dp=16), dp_overlap=0.0).time.dp_comm_s
    assert hidden < every < shown


@pytest.mark.parametrize(("overlap", "on"), [(0.0, 1), (0.6, 0), (0.6, 1), (0.002, 1)])
@pytest.mark.parametrize("zero", [0, 1])
def test_reductions_hide_in_the_last_backward_pass(zero: int, overlap: float, on: int) -> None:
    layout = Layout(dp=16, zero=zero, shard=16 if zero else 1, dp_overlap=on)
    block, _, _ = parts(layout)
    sync = replicas(layout)
    windows = (12 * float(block.backward.total_s[0]), 12 * float(block.forward.total_s[0]))
    exposed = 0.0
    for link_s, window_s in zip((sync["reduce_s"], sync["gather_s"]), windows, strict=True):
        hides = overlap * on > 0
        exposed += max(link_s - overlap * window_s, link_s / 12) if hides else link_s
    found = run(layout, dp_overlap=overlap)
    assert found.time.dp_comm_s == pytest.approx(exposed)
    assert found.link.dp_link_s == pytest.approx(sync["reduce_s"] + sync["gather_s"])


@pytest.mark.parametrize(("every", "times"), [(False, 1), (True, 4)])
def test_zero_2_may_reduce_in_every_micro_batch(every: bool, times: int) -> None:
    layout = Layout(dp=16, zero=2, shard=16)
    sync = replicas(layout)
    found = run(layout, zero2_every_micro_batch=every)
    expected = times * sync["reduce_s"] + sync["gather_s"]
    assert found.time.dp_comm_s == found.link.dp_link_s == pytest.approx(expected)


def test_pipelines_of_some_software_reduce_once() -> None:
    """As ZeRO-1 in the same pipeline, which always does."""
    layout, untied = Layout(pp=2, dp=16, zero=2, shard=16), replace(GPT, tied=False)
    software = {"zero2_every_micro_batch": True, "pipelines_reduce_once": True}
    found, one = (run(replace(layout, zero=n), model=untied, **software) for n in (2, 1))
    assert found.time.dp_comm_s == one.time.dp_comm_s > 0


def test_hybrid_sharding_and_tied_embeddings_come_on_top() -> None:
    hybrid = Layout(dp=16, zero=1, shard=8)
    sync = replicas(hybrid)
    assert sync["replicate_s"] > 0
    expected = sync["reduce_s"] + sync["gather_s"] + sync["replicate_s"]
    assert run(hybrid).time.dp_comm_s == pytest.approx(expected)
    tied, apart = (run(Layout(pp=4), model=replace(GPT, tied=tied)) for tied in (True, False))
    assert tied.time.dp_comm_s > apart.time.dp_comm_s == 0


@pytest.mark.parametrize("zero", [1, 3])
def test_replicas_of_a_hybrid_sharding_reduce_beside_the_backward_pass(zero: int) -> None:
    """All but the last block's share of it, where there is time enough; alone, nothing hides."""
    hybrid, node = Layout(dp=16, zero=zero, shard=8), Layout(dp=8, zero=zero, shard=8)
    copies = replicas(hybrid)["replicate_s"]
    half = replace(WORK, global_batch=WORK.global_batch // 2)  # as many micro-batches on one node
    free = replace(PLAIN, dp_overlap=1.0, zero3_overlap=1.0)
    for overlap, shown in ((1, copies / GPT.layers), (0, copies)):
        found = estimate(GPT, WORK, DGX, free, replace(hybrid, dp_overlap=overlap))
        alone = estimate(GPT, half, DGX, free, replace(node, dp_overlap=overlap))
        assert found.time.dp_comm_s - alone.time.dp_comm_s == pytest.approx(shown)
        assert found.link.dp_link_s - alone.link.dp_link_s == pytest.approx(copies)


def test_overhead_by_hand() -> None:
    """A fixed time; 1 % of the kernels per doubling of four nodes."""
    layout = Layout(dp=32)
    before, after = run(layout), run(layout, step_overhead_s=3.0, straggler=0.01)
    time = before.time
    kernels = time.matmul_s + time.attention_s + time.elementwise_s + time.recompute_s
    assert before.time.overhead_s == 0
    assert after.time.overhead_s == pytest.approx(3 + 0.01 * math.log2(4) * kernels)


def test_contention_slows_what_communication_hides_behind() -> None:
    layout = Layout(tp=8, dp=4)
    quiet, busy = (run(layout, dp_overlap=0.5, tp_overlap=0.5, contention=c) for c in (0.0, 0.2))
    links = quiet.link.tp_link_s + quiet.link.dp_link_s
    hidden = links - quiet.time.tp_comm_s - quiet.time.dp_comm_s
    assert hidden > 0
    assert busy.time.overhead_s == pytest.approx(0.2 * hidden)


def test_the_fullest_stage_sets_the_gradient_exchange() -> None:
    """Three dense layers first: the stages behind them hold the experts, and exchange them."""
    experts = Experts(count=64, top_k=2, ffn=1024, dense_first=2)
    model = replace(GPT, layers=8, experts=experts)
    four = estimate(model, WORK, DGX, PLAIN, Layout(pp=4, dp=8, zero=1, shard=8))
    dense = estimate(
        replace(model, experts=None), WORK, DGX, PLAIN, Layout(pp=4, dp=8, zero=1, shard=8)
    )
    assert four.link.dp_link_s > 4 * dense.link.dp_link_s
