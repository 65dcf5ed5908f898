"""Term by term: what differs between two estimates, and what is behind it."""

import pytest

from plan3d.planner.causes import FACTS, Subject, cause, fact
from plan3d.planner.differences import differences
from plan3d.planner.reasons import Breakdown
from plan3d.planner.result import Job
from plan3d.simulator.estimate import estimate
from plan3d.simulator.layout import Layout, Recompute, Schedule
from plan3d.simulator.model import Experts
from plan3d.simulator.result import EstimateTable
from tests.planner.jobs import cluster, job, model

JOB = job(32, batch=32)


def subject(name: str, layout: Layout, asked: Job = JOB) -> Subject:
    done = estimate(asked.model, asked.work, asked.cluster, asked.software, layout)
    return Subject(name=name, job=asked, layout=layout, estimate=done)


A = subject("A", Layout(tp=8, sp=1, dp=4))
B = subject(
    "B", Layout(tp=2, sp=1, pp=4, vpp=2, dp=4, zero=1, shard=4, recompute=Recompute.FULL,
                schedule=Schedule.INTERLEAVED)
)  # fmt: skip


@pytest.mark.parametrize("breakdown", ["time", "memory"])
def test_the_changes_add_up_and_the_largest_comes_first(breakdown: Breakdown) -> None:
    found = differences(A, B, breakdown)
    sizes = [abs(term.change) for term in found]
    assert sizes == sorted(sizes, reverse=True)
    a, b = A.estimate, B.estimate
    total = (
        b.step_time_s - a.step_time_s if breakdown == "time" else b.memory_bytes - a.memory_bytes
    )
    assert sum(term.change for term in found) == pytest.approx(total, rel=1e-12)


def test_nothing_differs_from_itself() -> None:
    assert all(term.change == 0 and term.cause == "" for term in differences(A, A, "time"))


def test_tensor_parallel_traffic_by_hand() -> None:
    """8 layers, 4 all-reduces of 64 tokens x 64 x 2 bytes on 8 ranks: 14/8 of it; 8 times."""
    size = 8 * 4 * 14 / 8 * (64 * 64 * 2) * 8
    rate = size / A.estimate.link.tp_link_s
    assert fact("tp_comm_s", A).startswith(
        f"8 ranks in a node, {size / 1e9:.3g} GB per GPU at {rate / 1e9:.3g} GB/s, "
    )
    assert cause("tp_comm_s", A, A) == fact("tp_comm_s", A)


def test_a_group_that_leaves_the_node_is_said() -> None:
    """4 replicas of 8 GPUs are on 4 nodes; of 2 GPUs with 4 stages they are in one."""
    assert fact("dp_comm_s", A).startswith("4 ranks on 4 nodes, ")
    assert fact("dp_comm_s", B).startswith("4 ranks in a node, ")
    small = subject("C", Layout(tp=8, sp=1, dp=4), job(32, batch=32, cluster=cluster(32)))
    assert fact("dp_comm_s", small).startswith("4 ranks in a node, ")


def test_the_bubble_by_hand() -> None:
    """A batch of 32 on 4 replicas is 8 micro-batches."""
    told = cause("bubble_s", A, B)
    assert told == "none -> (pp - 1) / (vpp m) = 3 / (2 x 8), interleaved"


def test_memory_by_hand() -> None:
    params = B.gpu_params / 1e9
    assert fact("optimizer_bytes", B) == f"of {params:.3g} B parameters, ZeRO over 4"
    assert fact("parameters_bytes", B) == f"of {params:.3g} B parameters"
    assert "recompute full" in fact("activations_bytes", B)
    assert fact("context_bytes", B) == ""


def test_experts_are_divided_by_their_own_parallelism() -> None:
    """Half of 4 experts on each of 2 ranks, all else on every one."""
    spec = model(experts=Experts(count=4, top_k=2, ffn=128))
    asked = job(8, spec, batch=32)
    whole = subject("A", Layout(dp=8), asked).gpu_params
    half = subject("B", Layout(dp=8, ep=2), asked).gpu_params
    experts = 8 * 4 * 2 * (64 * 128) + 8 * 4 * (128 + 64)  # weights and biases
    assert whole - half == pytest.approx(experts / 2)
    assert fact("ep_comm_s", subject("B", Layout(dp=8, ep=2), asked)).startswith("2 ranks in")


def test_every_term_but_the_fixed_ones_has_its_quantities() -> None:
    terms = {*EstimateTable.TIME, *EstimateTable.MEMORY}
    assert set(FACTS) == terms - {"buckets_bytes", "context_bytes", "margin_bytes"}


def test_a_faster_gpu_is_why() -> None:
    asked = job(32, batch=32, cluster=cluster(memory_gib=100))
    other = subject("B", Layout(tp=8, sp=1, dp=4), asked)
    assert differences(A, other, "time")[0].change == 0
    assert "TFLOP/s" in fact("matmul_s", A)
    assert "TFLOP/s" in fact("attention_s", A)
