"""One block: what the CPU issues, adds up and overlaps, by hand."""

from dataclasses import replace

import pytest

from plan3d.simulator.block import block_time
from plan3d.simulator.context import Context
from plan3d.simulator.layout import Layout
from plan3d.simulator.model import Experts
from plan3d.simulator.workload import PRECISIONS
from tests.simulator.jobs import DGX, GPT, IDEAL, MIXTURE, PLAIN, WIRE, WORK, one


def context() -> Context:
    return Context(model=GPT, work=WORK, cluster=DGX, software=PLAIN)


def test_launches_cost() -> None:
    gpu = replace(IDEAL, elementwise_overhead_s=1.0)
    slow = replace(context(), cluster=replace(WIRE, gpu=gpu))
    assert block_time(slow, one(Layout())).forward.elementwise_s[0] == pytest.approx(6, rel=1e-3)


def test_the_cpu_is_the_clock_of_a_small_block() -> None:
    slow = replace(context(), software=replace(PLAIN, dispatch_s=1.0))
    block = block_time(slow, one(Layout(tp=2)))
    assert block.forward.total_s[0] == pytest.approx(1.0)
    assert block.backward.total_s[0] == pytest.approx(2.0)
    assert block_time(context(), one(Layout(tp=2))).forward.dispatch_s[0] == 0


@pytest.mark.parametrize(
    ("layout", "forward_s", "backward_s"),
    [
        pytest.param(Layout(tp=8), 1.0, 2.0, id="one node"),
        pytest.param(Layout(tp=1, dp=16), 1.0, 2.0, id="nothing to issue"),
        pytest.param(Layout(tp=8, dp=2), 1 + 2 * 8 * 0.5, 2 + 2 * 8 * 0.5, id="two nodes"),
        pytest.param(Layout(tp=4, pp=4), 1 + 2 * 4 * 0.5, 2 + 2 * 4 * 0.5, id="by a pipeline"),
        pytest.param(Layout(tp=4, pp=4, sp=1), 1 + 4 * 2, 2 + 6 * 2, id="in two halves"),
    ],
)
def test_collectives_are_issued_slowly_between_nodes(
    layout: Layout, forward_s: float, backward_s: float
) -> None:
    slow = replace(context(), software=replace(PLAIN, dispatch_s=1.0, issue_s=0.5))
    block = block_time(slow, one(layout))
    assert block.forward.total_s[0] == pytest.approx(forward_s)
    assert block.backward.total_s[0] == pytest.approx(backward_s)


@pytest.mark.parametrize(
    ("layout", "keeps", "forward_s", "backward_s"),
    [
        pytest.param(Layout(dp=2), False, 1.0, 2.0, id="nothing to issue"),
        pytest.param(Layout(tp=2), False, 2.0, 3.0, id="two all-reduces each way"),
        pytest.param(Layout(tp=2, sp=1), False, 3.0, 5.0, id="in halves, and gathered again"),
        pytest.param(Layout(tp=2, sp=1), True, 3.0, 4.0, id="in halves"),
    ],
)
def test_collectives_take_the_cpu_besides(
    layout: Layout, keeps: bool, forward_s: float, backward_s: float
) -> None:
    slow = replace(PLAIN, dispatch_s=1.0, collective_s=0.5, keeps_gathered=keeps)
    block = block_time(replace(context(), software=slow), one(layout))
    assert block.forward.total_s[0] == pytest.approx(forward_s)
    assert block.backward.total_s[0] == pytest.approx(backward_s)


@pytest.mark.parametrize(
    ("layout", "forward_s", "backward_s"),
    [
        pytest.param(Layout(tp=2), 1.5, 2.5, id="one all-reduce each way"),
        pytest.param(Layout(tp=2, sp=1), 2.0, 3.5, id="in halves, and gathered again"),
    ],
)
def test_a_parallel_residual_has_half_as_many_collectives(
    layout: Layout, forward_s: float, backward_s: float
) -> None:
    slow = replace(PLAIN, dispatch_s=1.0, collective_s=0.5)
    model = replace(GPT, parallel_residual=True)
    block = block_time(replace(context(), model=model, software=slow), one(layout))
    assert block.forward.total_s[0] == pytest.approx(forward_s)
    assert block.backward.total_s[0] == pytest.approx(backward_s)


@pytest.mark.parametrize(
    ("layout", "forward_s"),
    [
        pytest.param(Layout(dp=2), 10.0, id="no tensor parallelism, no DTensors"),
        pytest.param(Layout(tp=2), 10.0 + 5, id="columns and rows"),
        pytest.param(Layout(tp=2, sp=1), 10.0 + 5 + 3, id="and norms"),
        pytest.param(Layout(tp=8, sp=1), 10.0 + 5 + 3, id="however many ranks"),
    ],
)
def test_dtensors_take_the_cpu_besides(layout: Layout, forward_s: float) -> None:
    eager = replace(PLAIN, dispatch_s=10.0, dtensor_s=5.0, dtensor_sequence_s=3.0)
    block = block_time(replace(context(), software=eager), one(layout))
    assert block.forward.total_s[0] == pytest.approx(forward_s)
    assert block.backward.total_s[0] == pytest.approx(2 * forward_s)


ALL_EXPERTS = replace(GPT, experts=Experts(count=8, top_k=2, ffn=100))


@pytest.mark.parametrize(
    ("layout", "precision", "forward_s", "backward_s"),
    [
        pytest.param(Layout(), "bf16", 10 + 3 + 8, 20 + 6 + 16, id="eight experts"),
        pytest.param(Layout(), "fp8", 10 + 3 + 12, 20 + 6 + 24, id="and their casts"),
        pytest.param(
            Layout(ep=4, dp=4), "bf16", 10 + 3 + 2 + 4 * 100, 20 + 6 + 4 + 3 * 100,
            id="two, and exchanges: counts, tokens, weights and back",
        ),
    ],
)  # fmt: skip
def test_experts_are_issued_one_by_one(
    layout: Layout, precision: str, forward_s: float, backward_s: float
) -> None:
    slow = replace(
        PLAIN, dispatch_s=10.0, routing_s=3.0, expert_s=1.0, expert_cast_s=0.5, collective_s=100.0
    )
    work = replace(WORK, precision=PRECISIONS[precision])
    experts = replace(context(), model=ALL_EXPERTS, work=work, software=slow)
    block = block_time(experts, one(layout))
    assert block.forward.total_s[0] == pytest.approx(forward_s)
    assert block.backward.total_s[0] == pytest.approx(backward_s)


def test_dense_layers_route_nothing() -> None:
    """Of 16 layers two are dense: a routing of 16 s is one of 14 in the mean."""
    slow = replace(context(), model=MIXTURE, software=replace(PLAIN, routing_s=16.0))
    assert block_time(slow, one(Layout())).forward.total_s[0] == pytest.approx(14, rel=1e-3)
    dense = replace(slow, model=GPT)
    assert block_time(dense, one(Layout())).forward.dispatch_s[0] == 0


@pytest.mark.parametrize(("swap", "steps"), [(0, 3), (1, 0)])
def test_steps_of_a_ring_are_issued_one_by_one(swap: int, steps: int) -> None:
    slow = replace(context(), software=replace(PLAIN, dispatch_s=10.0, ring_step_s=2.0))
    block = block_time(slow, one(Layout(cp=4, cp_all_to_all=swap)))
    assert block.forward.total_s[0] == pytest.approx(10 + 2 * steps)
    assert block.backward.total_s[0] == pytest.approx(20 + 4 * steps)


def test_collectives_between_nodes_are_launched_in_every_node() -> None:
    """Two nodes: two launches of 0.5 s each way."""
    cluster = replace(WIRE, network=replace(WIRE.network, launch_s=0.5))
    slow = replace(context(), cluster=cluster, software=replace(PLAIN, dispatch_s=1e6))
    block = block_time(slow, one(Layout(tp=16)))
    assert block.forward.total_s[0] == pytest.approx(1e6 + 2 * 2 * 0.5)
    assert block.backward.total_s[0] == pytest.approx(2e6 + 2 * 2 * 0.5)


def test_gradients_are_added_up_in_every_micro_batch() -> None:
    """10 bytes of each of 4 h^2 + 2 h f weights, and vectors, at 1.6e12 bytes/s."""
    summed = replace(context(), software=replace(PLAIN, accumulate_bytes=10.0))
    found, plain = (block_time(c, one(Layout(tp=2))) for c in (summed, context()))
    more_s = found.backward.elementwise_s[0] - plain.backward.elementwise_s[0]
    matrices = (4 * 512**2 + 2 * 512 * 2048) / 2
    assert more_s == pytest.approx(10 * matrices / 1.6e12, rel=0.01)
    assert found.forward.total_s[0] == plain.forward.total_s[0]


@pytest.mark.parametrize(("share", "on"), [(0.0, 1), (0.4, 1), (0.4, 0), (1.0, 1)])
def test_overlap_hides_communication_behind_products(share: float, on: int) -> None:
    some = replace(context(), software=replace(PLAIN, tp_overlap=share))
    found = block_time(some, one(Layout(tp=8, micro_batch=8, tp_overlap=on))).forward
    hidden = min(share * on * found.tp_link_s[0], found.matmul_s[0])
    assert found.tp_comm_s[0] == pytest.approx(found.tp_link_s[0] - hidden)


def test_a_blocking_launch_adds_the_time_of_the_cpu() -> None:
    """Hidden behind the kernels otherwise."""
    software = replace(PLAIN, dispatch_s=1e-9)
    beside = block_time(replace(context(), software=software), one(Layout()))
    blocking = replace(software, blocking=True)
    after = block_time(replace(context(), software=blocking), one(Layout()))
    assert beside.forward.dispatch_s[0] == beside.backward.dispatch_s[0] == 0
    assert after.forward.dispatch_s[0] == pytest.approx(1e-9)
    assert after.backward.dispatch_s[0] == pytest.approx(2e-9)
    assert after.forward.matmul_s[0] == beside.forward.matmul_s[0]
