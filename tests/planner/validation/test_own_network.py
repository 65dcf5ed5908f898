"""A job's own collectives: the law then takes as long as they took, or what it always takes."""

from collections.abc import Callable

import pytest

from plan3d import hardware_profiles
from plan3d.planner.validation import Profiles, Run
from plan3d.planner.validation.own_network import MESSAGE_BYTES, as_measured, reaches_bandwidth
from plan3d.planner.validation.rows import case_of
from plan3d.simulator.collectives import all_gather_s, all_reduce_s, p2p_s
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.placement import Group

P5 = hardware_profiles.load("aws-p5")


def bus_gb_s(cluster: Cluster, gpus: int) -> float:
    group = Group(size=gpus, local=min(gpus, 8))
    time_s = float(all_reduce_s(MESSAGE_BYTES, group, cluster))
    return 2 * MESSAGE_BYTES * (gpus - 1) / gpus / time_s / 1e9


@pytest.mark.parametrize("gpus", [16, 64, 512])
def test_a_slow_network_is_as_slow_as_measured(run: Callable[..., Run], gpus: int) -> None:
    found = as_measured(P5, run(gpus=gpus, allreduce_gb_s=13.2))
    assert bus_gb_s(found, gpus) == pytest.approx(13.2)
    assert found.node == P5.node
    assert p2p_s(1e6, 1.0, found) == p2p_s(1e6, 1.0, P5), "sends are not collectives"


def test_an_all_gather_says_what_rings_take(run: Callable[..., Run]) -> None:
    found = as_measured(P5, run(gpus=64, allgather_gb_s=30.0))
    wire = MESSAGE_BYTES * 63 / 64
    group = Group(size=64, local=8)
    assert wire / float(all_gather_s(MESSAGE_BYTES, group, found)) == pytest.approx(30e9)
    assert found.network.tree_latency_s == P5.network.tree_latency_s
    assert bus_gb_s(found, 64) == bus_gb_s(P5, 64)


@pytest.mark.parametrize(
    ("measured", "reaches"), [(None, True), (432.1, False), (439.3, True), (462.4, True)]
)
def test_a_node_reaches_the_bandwidth_of_its_fabric(
    run: Callable[..., Run], measured: float | None, reaches: bool
) -> None:
    """478 GB/s, less 0.686 / 8 of it among eight: 437."""
    assert reaches_bandwidth(P5, run(node_allreduce_gb_s=measured)) is reaches


def test_a_broken_node_is_as_slow_as_measured(run: Callable[..., Run]) -> None:
    found = as_measured(P5, run(gpus=32, node_allreduce_gb_s=45.0, allreduce_gb_s=44.0))
    assert bus_gb_s(found, 8) == pytest.approx(45.0)
    assert bus_gb_s(found, 32) <= 44.0 * (1 + 1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gpus": 1, "node_allreduce_gb_s": 1.0, "allreduce_gb_s": 1.0},
        {
            "gpus": 64,
            "node_allreduce_gb_s": 900.0,
            "allreduce_gb_s": 900.0,
            "allgather_gb_s": 900.0,
        },
        {"gpus": 8, "allreduce_gb_s": 1.0, "allgather_gb_s": 1.0},
    ],
    ids=["nothing measured", "one GPU", "faster than the profile", "nothing between nodes"],
)
def test_else_the_profile_stands(run: Callable[..., Run], changes: dict[str, object]) -> None:
    assert as_measured(P5, run(**changes)) == P5


def test_jobs_that_measured_differently_are_different_questions(
    run: Callable[..., Run], profiles: Profiles
) -> None:
    facts = {"gpu": "h100-80g-sxm", "gpus": 16, "dp": 2, "precision": "bf16", "global_batch": 8}
    a, b, c = (
        case_of(run(**facts, id=str(i), allreduce_gb_s=speed), profiles)
        for i, speed in enumerate((None, 5.0, None))
    )
    assert a.question == c.question != b.question
