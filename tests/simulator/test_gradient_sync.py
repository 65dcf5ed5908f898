"""Data parallelism by hand: 100 parameters, 2 bytes each, on wires of a few hundred bytes/s."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.simulator.context import Context
from plan3d.simulator.estimate import estimate
from plan3d.simulator.gradient_sync import SyncTime, exposed_once_s, sync_time
from plan3d.simulator.kernels import memory_bound_s
from plan3d.simulator.layout import Layout, Order
from plan3d.simulator.software import Software
from plan3d.simulator.workload import GradientSync
from tests.simulator.jobs import DGX, GPT, PLAIN, WIRE, WORK, one
from tests.simulator.test_model_states import params

DENSE = params(60.0, ends=40.0, unit=10.0)
NO_SYNC = GradientSync()


def sync(
    layout: Layout, stage: object = DENSE, *, how: GradientSync = NO_SYNC,
    software: Software = PLAIN, tied: float = 0.0, **network: float,
) -> SyncTime:  # fmt: skip
    cluster = replace(WIRE, network=replace(WIRE.network, **network))
    context = Context(
        model=GPT, work=replace(WORK, sync=how), cluster=cluster, software=software
    )  # fmt: skip
    return sync_time(context, one(layout), stage, np.array([tied]))  # type: ignore[arg-type]


def terms(found: SyncTime) -> dict[str, float]:
    """Terms that are not 0."""
    values = {name: float(getattr(found, name)[0]) for name in SyncTime.__dataclass_fields__}
    return {name: value for name, value in values.items() if value}


AR, RS, AG = 2 * 150 / 400, 150 / 100, 150 / 200
"""Of 200 bytes on four ranks of a node."""


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        pytest.param(Layout(), {}, id="alone"),
        pytest.param(Layout(dp=4), {"reduce_s": AR}, id="all-reduce"),
        pytest.param(Layout(dp=2, cp=2), {"reduce_s": AR}, id="context ranks are replicas"),
        pytest.param(
            Layout(dp=4, zero=1, shard=4), {"reduce_s": RS, "gather_s": AG}, id="two halves"
        ),
        pytest.param(
            Layout(dp=4, zero=3, shard=4),
            {"reduce_s": RS, "gather_s": AG, "block_reduce_s": RS / 10, "block_gather_s": AG / 10,
             "ends_reduce_s": 0.4 * RS, "ends_gather_s": 0.4 * AG},
            id="and a block of 10 at a time, or the ends' 40",
        ),
        pytest.param(
            Layout(dp=8, zero=1, shard=4),
            {"reduce_s": RS, "gather_s": AG, "replicate_s": 2 * 50 / 2 / 400},
            id="hybrid: a quarter is all-reduced between two",
        ),
        pytest.param(Layout(dp=4, tp=8), {"reduce_s": 300 / 10}, id="one rank in each node"),
        pytest.param(Layout(dp=16), {"reduce_s": 2 * 200 * 15 / 16 / 80}, id="two nodes of eight"),
        pytest.param(Layout(dp=4, pp=4), {"reduce_s": AR}, id="pipelines spread over nodes"),
        pytest.param(
            Layout(dp=4, pp=4, order=Order.TP_CP_EP_PP_DP), {"reduce_s": 300 / 20},
            id="pipelines stay in nodes",
        ),
    ],
)  # fmt: skip
def test_dense(layout: Layout, expected: dict[str, float]) -> None:
    assert terms(sync(layout)) == pytest.approx(expected)


def test_experts_have_fewer_copies() -> None:
    """Of 100 expert parameters, one half is reduced between two of the four ranks."""
    found = sync(Layout(dp=4, ep=2), params(100.0, experts=100.0))
    assert found.reduce_s[0] == pytest.approx(AR + 2 * 100 / 400)
    alone = sync(Layout(dp=4, ep=4), params(100.0, experts=100.0))
    assert alone.reduce_s[0] == pytest.approx(AR)


def test_zero_3_may_copy_what_it_gathers() -> None:
    """Ten parameters of two bytes, copied at five bytes per second: four seconds more."""
    slow = replace(PLAIN, zero3_copy_bytes_per_s=5.0)
    found = sync(Layout(dp=4, zero=3, shard=4), software=slow)
    assert found.block_gather_s[0] == pytest.approx(AG / 10 + 20 / 5)
    assert found.ends_gather_s[0] == pytest.approx(0.4 * AG + 80 / 5)
    assert found.gather_s[0] == pytest.approx(AG)
    assert sync(Layout(zero=3), software=slow).block_gather_s[0] == 0


@pytest.mark.parametrize(
    ("layout", "copied"),
    [
        pytest.param(Layout(dp=4, zero=3, shard=4), 100.0, id="all 100 parameters"),
        pytest.param(Layout(dp=4, zero=2, shard=4), 0.0, id="nothing is gathered"),
        pytest.param(Layout(zero=3), 0.0, id="nobody to gather from"),
    ],
)
def test_units_may_be_copied_among_the_kernels(layout: Layout, copied: float) -> None:
    """Read and written in 2 bytes; read in 2, written in 4; and the sum read besides.

    The ends are 40 of the 100 parameters, and their gathers' copies apart.
    """
    software = replace(PLAIN, unit_copies=True, reduce_bytes=4.0)
    found, plain = (
        sync(layout, software=replace(software, unit_copies=copies)) for copies in (True, False)
    )
    each = memory_bound_s(1.0, 0, WIRE.gpu)
    ends_copy_s = found.ends_gather_s[0] - plain.ends_gather_s[0]
    assert found.gather_copy_s[0] == pytest.approx(0.6 * copied * (2 + 2) * each)
    assert ends_copy_s == pytest.approx(0.4 * copied * (2 + 2) * each)
    assert found.reduce_copy_s[0] == pytest.approx(copied * (2 + 4) * each)
    assert found.sum_copy_s[0] == pytest.approx(copied * (2 + 4 + 4) * each)
    assert found.summed_copy_s[0] == pytest.approx(copied * (4 + 4) * each)
    alike = sync(layout, software=replace(software, reduce_bytes=2.0))
    assert (alike.reduce_copy_s[0], alike.summed_copy_s[0]) == (
        pytest.approx(copied * (2 + 2) * each), 0,
    )  # fmt: skip


def test_a_stage_between_two_others_has_no_ends_to_gather() -> None:
    found = sync(Layout(dp=4, zero=3, shard=4), params(60.0, unit=10.0))
    assert (found.ends_gather_s[0], found.ends_reduce_s[0]) == (0, 0)


def test_gradients_may_be_reduced_in_32_bit() -> None:
    found = sync(Layout(dp=4, zero=1, shard=4), software=replace(PLAIN, reduce_bytes=4.0))
    assert (found.reduce_s[0], found.gather_s[0]) == pytest.approx((2 * RS, AG))


def test_a_tied_embedding_is_reduced_between_the_ends() -> None:
    """Two ranks in different nodes."""
    assert sync(Layout(pp=4), tied=30.0).tied_s[0] == pytest.approx(2 * 60 / 2 / 10)
    assert sync(Layout(pp=4), tied=0.0).tied_s[0] == 0


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        pytest.param(GradientSync(compression=0.25), AR / 4, id="compressed"),
        pytest.param(GradientSync(every=8), AR / 8, id="local steps"),
        pytest.param(GradientSync(neighbours=1), AR, id="a send is never worse than all"),
    ],
)
def test_rarer_and_sparser(how: GradientSync, expected: float) -> None:
    assert sync(Layout(dp=4), how=how).reduce_s[0] == pytest.approx(expected)


def test_neighbours_send_all_they_have() -> None:
    """Two neighbours get 200 bytes at 20 bytes/s, against 37.5 s for all sixteen."""
    found = sync(Layout(dp=16, tp=8), how=GradientSync(neighbours=2), p2p_efficiency=1.0)
    assert found.reduce_s[0] == pytest.approx(20)
    assert sync(Layout(), how=GradientSync(neighbours=2)).reduce_s[0] == 0


@pytest.mark.parametrize(
    ("window", "pieces", "on", "expected"),
    [
        pytest.param(4.0, 10.0, 1.0, 6.0, id="what exceeds the window"),
        pytest.param(100.0, 10.0, 1.0, 1.0, id="the last piece"),
        pytest.param(100.0, 1.0, 1.0, 10.0, id="a single piece"),
        pytest.param(100.0, 10.0, 0.0, 10.0, id="off"),
        pytest.param(0.0, 10.0, 1.0, 10.0, id="no window"),
    ],
)
def test_exposed(window: float, pieces: float, on: float, expected: float) -> None:
    assert exposed_once_s(10.0, window, pieces, on) == expected


@pytest.mark.parametrize(
    ("piece", "tp", "pieces"),
    [
        pytest.param(0.0, 1, 1, id="all at once"),
        pytest.param(1e9, 1, 2, id="a bucket for the blocks, one for the ends"),
        pytest.param(1.25, 1, 9, id="eight of three, and one for the ends"),
        pytest.param(
            2.125, 2, 5, id="half as much beyond, of half as large matrices: four of three"
        ),
    ],
)
def test_every_bucket_waits_for_the_network(piece: float, tp: int, pieces: int) -> None:
    """Sixteen ranks on two nodes, a second of latency for each all-reduce.

    Matrices of 3, 1, 4 and 4 squares of the width: a bucket ends 42 / 24 = 1.75 beyond it.
    """
    slow = replace(
        WIRE, gpus_per_node=8 * tp, network=replace(WIRE.network, tree_latency_s=1.0)
    )  # fmt: skip
    square = 2.0 * GPT.hidden**2
    software = replace(PLAIN, reduce_piece_bytes=piece * square)
    context = Context(model=GPT, work=WORK, cluster=slow, software=software)
    stage = params(24.0 / tp * GPT.hidden**2, ends=40.0)
    once, found = (
        sync_time(context, one(Layout(dp=16, tp=tp, zero=zero, shard=16)), stage, np.zeros(1))
        for zero in (1, 0)
    )
    assert once.reduce_s[0] > 0
    whole = 2 * (24 / tp * square + 80) * 15 / 16 / (8 * 10)
    assert found.reduce_s[0] == pytest.approx(whole + pieces)


def test_zero_1_may_reduce_everything_and_gather_piece_by_piece() -> None:
    """Four ranks; 60 parameters of blocks of 10, each of four matrices and two norms."""
    software = replace(PLAIN, zero1_afterwards=True, gather_piece_s=0.5, reduce_piece_bytes=9.0)
    found = sync(Layout(dp=4, zero=1, shard=4), software=software)
    assert found.reduce_s[0] == pytest.approx(AR)
    assert found.gather_s[0] == pytest.approx(AG + 0.5 * 4 * (6 * 6))
    whole = Layout(dp=4, zero=3, shard=4)
    assert terms(sync(whole, software=software)) == terms(sync(whole))


OWNERS = replace(PLAIN, zero1_owners=True)


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        pytest.param(Layout(zero=1), {}, id="alone"),
        pytest.param(
            Layout(dp=4, zero=1, shard=4), {"reduce_s": AR, "gather_s": 200 / 200}, id="a node"
        ),
        pytest.param(
            Layout(dp=16, zero=2, shard=16),
            {"reduce_s": 2 * 200 * 15 / 16 / 80, "gather_s": 200 / 80},
            id="two nodes",
        ),
        pytest.param(
            Layout(dp=16, zero=1, shard=8),
            {"reduce_s": 2 * 200 * 15 / 16 / 80, "gather_s": 200 / 200},
            id="all reduce together, a node broadcasts for itself",
        ),
    ],
)
def test_owners_broadcast_what_everyone_reduced(layout: Layout, expected: dict[str, float]) -> None:
    assert terms(sync(layout, software=OWNERS)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ranks", "rounds"),
    [
        pytest.param(16, 16 * 2, id="each rank's goes round two nodes"),
        pytest.param(64, 64 * 8, id="four times the ranks, four times the way"),
        pytest.param(128, 72 * 16, id="72 tensors: ranks beyond own none"),
        pytest.param(256, 72 * 32, id="twice the way"),
    ],
)
def test_broadcasts_follow_each_other_around_the_nodes(ranks: int, rounds: int) -> None:
    """Six blocks of twelve tensors: four matrices, as many biases, two norms of two. 1 s a node."""
    layout = Layout(dp=ranks, zero=1, shard=ranks)
    found = sync(layout, software=OWNERS, ring_latency_s=1.0)
    assert found.gather_s[0] == pytest.approx(200 / 80 + rounds)
    inside = sync(replace(layout, shard=8), software=OWNERS, ring_latency_s=1.0)
    assert inside.gather_s[0] == pytest.approx(200 / 200)


@pytest.mark.parametrize("layout", [Layout(dp=16), Layout(dp=16, zero=3, shard=16)])
def test_only_zero_1_and_2_have_owners(layout: Layout) -> None:
    assert terms(sync(layout, software=OWNERS)) == terms(sync(layout))


def test_owners_reduce_in_buckets_as_without_zero() -> None:
    owners, plain = (
        sync(layout, software=replace(OWNERS, reduce_piece_bytes=1.0), tree_latency_s=1.0)
        for layout in (Layout(dp=16, zero=1, shard=8), Layout(dp=16))
    )
    once = sync(Layout(dp=16), software=OWNERS, tree_latency_s=1.0)
    assert owners.reduce_s[0] == plain.reduce_s[0] > once.reduce_s[0]


def test_owners_broadcast_their_experts_to_the_experts_copies() -> None:
    """Of 100 expert parameters, 100 bytes go to the other of two ranks."""
    layout = Layout(dp=4, zero=1, shard=4, ep=2)
    found = sync(layout, params(100.0, experts=50.0, unit=10.0), software=OWNERS)
    assert found.gather_s[0] == pytest.approx(200 / 200 + 100 / 200)


@pytest.mark.parametrize("overlap", [0.0, 0.002, 0.6])
def test_broadcasts_hide_behind_nothing(overlap: float) -> None:
    """The reductions before them hide in the backward pass, as without ZeRO."""
    software = replace(OWNERS, dp_overlap=overlap)
    owned, plain = (
        estimate(GPT, WORK, DGX, software, layout)
        for layout in (Layout(dp=16, zero=1, shard=16), Layout(dp=16))
    )
    broadcasts_s = owned.link.dp_link_s - plain.link.dp_link_s
    assert broadcasts_s > 0
    assert owned.time.dp_comm_s - plain.time.dp_comm_s == pytest.approx(broadcasts_s)
