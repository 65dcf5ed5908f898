"""Communication of a block, by hand on wires of a few hundred bytes per second."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.simulator.block_comm import BlockComm, BlockComms, block_comm
from plan3d.simulator.context import Context
from plan3d.simulator.layout import Layout
from plan3d.simulator.model import Experts, ModelSpec
from plan3d.simulator.workload import PRECISIONS, Workload
from tests.simulator.jobs import GPT, LLAMA, PLAIN, WIRE, one

PURE = PRECISIONS["bf16"]
WORK = Workload(seq=100, global_batch=8, precision=PURE)
STREAM = 100 * 512 * 2
"""Bytes of the residual stream of one sequence of GPT."""
MIXTURE = replace(GPT, experts=Experts(count=8, top_k=2, ffn=100))


def comm(
    layout: Layout, model: ModelSpec = GPT, *, core_s: float = 0.0, moe: bool = False,
    gpus_per_node: int = 8,
) -> BlockComms:  # fmt: skip
    cluster = replace(WIRE, gpus_per_node=gpus_per_node)
    context = Context(model=model, work=WORK, cluster=cluster, software=PLAIN)
    return block_comm(context, one(layout), core_s, 2 * core_s, moe=moe)


def test_one_gpu_sends_nothing() -> None:
    found = comm(Layout(), MIXTURE, moe=True)
    for one_pass in (found.forward, found.backward):
        assert one_pass.tp_s == one_pass.tp_beside_s == one_pass.ep_s == 0
        assert one_pass.cp_s == one_pass.cp_exposed_s == 0


AR = 2 * 0.75 * STREAM / 400
"""An all-reduce over four."""
AG, RS = 0.75 * STREAM / 200, 0.75 * STREAM / 100


@pytest.mark.parametrize(
    ("model", "sp", "moe", "each_s", "beside_s"),
    [
        pytest.param(GPT, 0, False, 2 * AR, 0, id="two all-reduces each way"),
        pytest.param(GPT, 1, False, 2 * (AG + RS), 2 * AG, id="and gather again"),
        pytest.param(
            replace(GPT, parallel_residual=True), 0, False, AR, 0, id="attention beside the MLP"
        ),
        pytest.param(MIXTURE, 0, True, AR, 0, id="experts are whole"),
        pytest.param(
            replace(GPT, experts=Experts(count=8, top_k=2, ffn=100, shared_ffn=100)), 0, True,
            2 * AR, 0, id="shared experts are cut",
        ),
    ],
)  # fmt: skip
def test_tensor_parallelism(
    model: ModelSpec, sp: int, moe: bool, each_s: float, beside_s: float
) -> None:
    found = comm(Layout(tp=4, sp=sp), model, moe=moe)
    assert found.forward.tp_s == found.backward.tp_s == pytest.approx(each_s)
    assert found.forward.tp_beside_s == 0
    assert found.backward.tp_beside_s == pytest.approx(beside_s)


@pytest.mark.parametrize(
    ("model", "moe", "more"),
    [
        pytest.param(LLAMA, False, 3, id="keys, values, a gate"),
        pytest.param(GPT, False, 2, id="no gate"),
        pytest.param(MIXTURE, True, 2, id="whole experts"),
    ],
)
def test_columns_apart_reduce_apart(model: ModelSpec, moe: bool, more: int) -> None:
    """What goes back to the input of each: over four, one all-reduce of the stream each."""
    layout, software = one(Layout(tp=4)), replace(PLAIN, columns_apart=True)
    context = Context(model=model, work=WORK, cluster=WIRE, software=PLAIN)
    together = block_comm(context, layout, 0.0, 0.0, moe=moe)
    apart = block_comm(replace(context, software=software), layout, 0.0, 0.0, moe=moe)
    reduce_s = 2 * 0.75 * 100 * model.hidden * 2 / 400
    assert apart.backward.tp_s - together.backward.tp_s == pytest.approx(more * reduce_s)
    assert apart.forward.tp_s == together.forward.tp_s


def test_experts_cut_by_tensor_parallelism_reduce_too() -> None:
    assert comm(Layout(tp=4, etp=2), MIXTURE, moe=True).forward.tp_s == pytest.approx(2 * AR)


def test_experts_cut_by_tensor_parallelism_gather_what_they_received() -> None:
    """With sequence parallelism: a quarter of the tokens twice over; pairs share an expert."""
    found = comm(Layout(tp=4, etp=2, ep=2, sp=1), MIXTURE, moe=True).forward
    assert found.tp_s == pytest.approx(AG + RS)
    sent = 2 * STREAM / 4
    shared = 2 * sent / 2
    exchange, pair = 2 * (sent / 2 / 200), shared / 200 + shared / 100
    assert found.ep_s == pytest.approx(exchange + pair)
    assert comm(Layout(tp=4, etp=2, ep=2), MIXTURE, moe=True).forward.ep_s == pytest.approx(
        2 * exchange
    )


@pytest.mark.parametrize(
    ("layout", "sent", "rate"),
    [
        pytest.param(Layout(ep=4, dp=4), 2 * STREAM * 3 / 4, 200, id="in a node: two experts each"),
        pytest.param(Layout(ep=4, tp=4), 2 * STREAM / 4 * 3 / 4, 200, id="a quarter of the tokens"),
        pytest.param(Layout(ep=4, dp=4, micro_batch=3), 6 * STREAM * 3 / 4, 200, id="batch"),
        pytest.param(Layout(ep=16, dp=16), 2 * STREAM * 8 / 16, 10, id="half of it leaves"),
    ],
)
def test_experts_exchange_tokens(layout: Layout, sent: float, rate: float) -> None:
    """There and back, in forward and in backward."""
    found = comm(layout, MIXTURE, moe=True)
    assert found.forward.ep_s == pytest.approx(2 * sent / rate)
    assert found.backward.ep_s == found.forward.ep_s
    assert comm(layout, MIXTURE, moe=False).forward.ep_s == 0


@pytest.mark.parametrize(
    ("layout", "top_k", "sent_s"),
    [
        pytest.param(
            Layout(ep=4, dp=4), 2, (4 - 4 * 9 / 16) * 3 / 4 / 200,
            id="in a node: to 1.75 of four ranks, one of them its own",
        ),
        pytest.param(
            Layout(ep=16, dp=16), 2, (2 - 2 / 4) / 2 / 10, id="to 1.5 of two nodes, one its own"
        ),
        pytest.param(Layout(ep=16, dp=16), 1, 8 / 16 / 10, id="one expert is sent once anyway"),
    ],
)  # fmt: skip
def test_tokens_are_sent_once(layout: Layout, top_k: int, sent_s: float) -> None:
    """There and back, per byte of a rank's tokens."""
    model = replace(GPT, experts=Experts(count=16, top_k=top_k, ffn=100))
    context = Context(
        model=model, work=WORK, cluster=WIRE, software=replace(PLAIN, sends_once=True)
    )
    found = block_comm(context, one(layout), 0.0, 0.0, moe=True)
    assert found.forward.ep_s == pytest.approx(2 * STREAM * sent_s)
    assert found.backward.ep_s == found.forward.ep_s


KV = 100 / 4 * 2 * 512 * 2
"""Bytes of keys and values of a quarter of a sequence of GPT."""


def test_a_ring_sends_keys_and_values() -> None:
    found = comm(Layout(cp=4))
    assert found.forward.cp_s == pytest.approx(3 * KV / 50)
    assert found.backward.cp_s == pytest.approx(2 * 3 * KV / 50)
    assert found.forward.cp_exposed_s == found.forward.cp_s


def test_a_ring_over_nodes_is_slower() -> None:
    assert comm(Layout(cp=4), gpus_per_node=1).forward.cp_s == pytest.approx(3 * KV / 5)


@pytest.mark.parametrize(("part", "exposed"), [(0.25, 0.75), (1.0, 0.0), (5.0, 0.0)])
def test_a_ring_hides_behind_the_block_it_has(part: float, exposed: float) -> None:
    """The core works on four blocks, one at a time."""
    step_s = KV / 50
    found = comm(Layout(cp=4), core_s=4 * part * step_s)
    assert found.forward.cp_exposed_s == pytest.approx(3 * exposed * step_s)
    assert found.forward.cp_s == pytest.approx(3 * step_s)


@pytest.mark.parametrize(("tp", "heads"), [(1, 4), (2, 2), (4, 1), (8, 1)])
def test_few_key_value_heads_are_repeated(tp: int, heads: int) -> None:
    found = comm(Layout(cp=2, tp=tp), LLAMA, gpus_per_node=16)
    assert found.forward.cp_s == pytest.approx(50 * 2 * heads * 64 * 2 / 50)


def test_ulysses_swaps_everything_and_hides_nothing() -> None:
    """Queries, keys, values and outputs: four hidden sizes of a quarter sequence, 3/4 leave."""
    found = comm(Layout(cp=4, cp_all_to_all=1), core_s=1e9)
    expected = 100 / 4 * 4 * 512 * 2 * 3 / 4 / 200
    assert found.forward.cp_s == pytest.approx(expected)
    assert found.forward.cp_exposed_s == found.backward.cp_s == found.forward.cp_s


@pytest.mark.parametrize(
    ("sp", "gpus_per_node", "collectives", "again"),
    [
        pytest.param(0, 8, 0, 0, id="inside a node"),
        pytest.param(0, 2, 2, 0, id="two all-reduces over two nodes"),
        pytest.param(1, 2, 4, 2, id="two of each half, and two gathers again"),
    ],
)
def test_a_launch_for_every_node(sp: int, gpus_per_node: int, collectives: int, again: int) -> None:
    def backward(launch_s: float) -> tuple[float, float]:
        network = replace(WIRE.network, launch_s=launch_s)
        cluster = replace(WIRE, gpus_per_node=gpus_per_node, network=network)
        context = Context(model=GPT, work=WORK, cluster=cluster, software=PLAIN)
        found = block_comm(context, one(Layout(tp=4, sp=sp)), 0.0, 0.0, moe=False).backward
        return float(np.sum(found.tp_s)), float(np.sum(found.tp_beside_s))

    with_launch, without = backward(3.0), backward(0.0)
    assert with_launch[0] - without[0] == pytest.approx(collectives * 2 * 3.0)
    assert with_launch[1] - without[1] == pytest.approx(again * 2 * 3.0)


@pytest.mark.parametrize(
    ("layout", "copies"),
    [
        pytest.param(Layout(tp=4, sp=1), 4, id="beside each half"),
        pytest.param(Layout(tp=4), 0, id="an all-reduce cuts nothing"),
        pytest.param(Layout(sp=1), 0, id="one rank"),
    ],
)
def test_collectives_along_the_sequence_copy(layout: Layout, copies: int) -> None:
    """Each reads and writes the stream, here at 100 bytes per second."""
    cluster = replace(WIRE, gpu=replace(WIRE.gpu, hbm_bytes_per_s=100.0))

    def forward(sequence_copies: float) -> BlockComm:
        software = replace(PLAIN, sequence_copies=sequence_copies)
        context = Context(model=GPT, work=WORK, cluster=cluster, software=software)
        return block_comm(context, one(layout), 0.0, 0.0, moe=False).forward

    once, never = forward(1.0), forward(0.0)
    more_s = float(np.sum(once.tp_s - never.tp_s))
    assert more_s == pytest.approx(copies * 2 * STREAM / 100)
    assert float(np.sum(once.tp_last_s - never.tp_last_s)) == pytest.approx(more_s / 4)


@pytest.mark.parametrize(("sp", "last_s"), [(0, AR), (1, RS)])
def test_the_last_product_is_reduced(sp: int, last_s: float) -> None:
    assert comm(Layout(tp=4, sp=sp)).forward.tp_last_s == pytest.approx(last_s)
