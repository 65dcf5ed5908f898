"""The unit of time does not matter; a better machine is never worse; recompute costs time."""

from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan3d.simulator.hardware import AttentionLaw, Cluster, Gpu
from plan3d.simulator.layout import Layout, Recompute
from plan3d.simulator.software import Software
from tests.simulator.jobs import (
    A100,
    DGX,
    H100,
    PLAIN,
)
from tests.simulator.strategies import few, layouts, models, run, softwares

# The unit of time ---------------------------------------------------------------------------


def slower_gpu(gpu: Gpu, k: float) -> Gpu:
    peaks = replace(
        gpu.peaks, **{f.name: getattr(gpu.peaks, f.name) / k for f in fields(gpu.peaks)}
    )
    laws: dict[str, AttentionLaw] = {
        n: replace(law, overhead_s=law.overhead_s * k) for n, law in gpu.attention.items()
    }
    return replace(
        gpu, peaks=peaks, attention=laws,
        gemm=replace(gpu.gemm, overhead_s=gpu.gemm.overhead_s * k),
        hbm_bytes_per_s=gpu.hbm_bytes_per_s / k,
        host_bytes_per_s=gpu.host_bytes_per_s / k,
        elementwise_overhead_s=gpu.elementwise_overhead_s * k,
    )  # fmt: skip


def scaled(value: Any, k: float) -> Any:
    """A dataclass with its rates divided and its times multiplied, told by their names."""
    changes = {}
    for f in fields(value):
        old = getattr(value, f.name)
        if f.name.endswith("_bytes_per_s"):
            changes[f.name] = old / k
        elif f.name.endswith(("_s", "_s_per_sqrt_byte")):
            changes[f.name] = old * k
    return replace(value, **changes)


@given(layout=layouts(), name=models, software=softwares)
@few
def test_the_unit_of_time_does_not_matter(layout: Layout, name: str, software: Software) -> None:
    """Measured in units 1/1024 as long, every time is 1024 times as many, and exactly so."""
    k = 1024.0
    cluster = replace(
        DGX, gpu=slower_gpu(A100, k), node=scaled(DGX.node, k), network=scaled(DGX.network, k)
    )
    before = run(layout, name, software)
    after = run(layout, name, scaled(software, k), cluster)
    for part in ("time", "link"):
        for f in fields(getattr(before, part)):
            wanted = k * getattr(getattr(before, part), f.name)
            assert getattr(getattr(after, part), f.name) == wanted, f.name
    assert after.memory == before.memory
    assert after.mfu == pytest.approx(before.mfu)


# Better machines ----------------------------------------------------------------------------


def faster(value: Any, k: float, *names: str) -> Any:
    return replace(value, **{n: getattr(value, n) * k for n in names})


def with_gpu(change: Callable[[Gpu], Gpu]) -> Callable[[Cluster], Cluster]:
    return lambda cluster: replace(cluster, gpu=change(cluster.gpu))


LINKS = (
    "all_reduce_bytes_per_s", "all_gather_bytes_per_s", "reduce_scatter_bytes_per_s",
    "p2p_bytes_per_s",
)  # fmt: skip
BETTER: dict[str, Callable[[Cluster], Cluster]] = {
    "peak": with_gpu(lambda g: replace(g, peaks=H100.peaks)),
    "memory bandwidth": with_gpu(lambda g: faster(g, 1.5, "hbm_bytes_per_s")),
    "less droop": with_gpu(lambda g: replace(g, gemm=replace(g.gemm, droop=0.0))),
    "launches": with_gpu(
        lambda g: replace(
            faster(g, 0.5, "elementwise_overhead_s"), gemm=faster(g.gemm, 0.5, "overhead_s")
        )
    ),
    "host link": with_gpu(lambda g: faster(g, 2.0, "host_bytes_per_s")),
    "links of the node": lambda c: replace(c, node=faster(c.node, 2.0, *LINKS)),
    "latency of the node": lambda c: replace(
        c, node=faster(c.node, 0.5, "latency_s", "step_latency_s", "ramp_s_per_sqrt_byte",
                       "p2p_latency_s")
    ),
    "adapters": lambda c: replace(c, network=faster(c.network, 2.0, "nic_bytes_per_s")),
    "latency of the network": lambda c: replace(
        c, network=faster(c.network, 0.5, "tree_latency_s", "ring_latency_s", "p2p_latency_s")
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", BETTER.values(), ids=BETTER)
@given(layout=layouts(), name=models, software=softwares)
@settings(max_examples=15, deadline=None)
def test_a_faster_machine_never_slows_a_layout(
    change: Callable[[Cluster], Cluster], layout: Layout, name: str, software: Software
) -> None:
    before, after = (run(layout, name, software, c) for c in (DGX, change(DGX)))
    assert after.step_time_s <= before.step_time_s * (1 + 1e-12)
    assert after.memory_bytes == before.memory_bytes


def test_products_hide_no_more_communication_than_they_last() -> None:
    """On a network that is the clock, a higher peak may not help, but it does no harm."""
    slow = replace(DGX, node=faster(DGX.node, 1 / 20, *LINKS))
    software = replace(PLAIN, tp_overlap=1.0)
    layout = Layout(tp=8, sp=1, micro_batch=4)
    before, after = (run(layout, "llama", software, c) for c in (slow, BETTER["peak"](slow)))
    assert after.step_time_s <= before.step_time_s


@given(layout=layouts(), name=models, gb=st.floats(1, 80), more=st.floats(0, 80))
@few
def test_more_memory_never_removes_a_layout(
    layout: Layout, name: str, gb: float, more: float
) -> None:
    small, large = (
        replace(DGX, gpu=replace(A100, memory_bytes=size * 1e9)) for size in (gb, gb + more)
    )
    assert run(layout, name, cluster=large).fits >= run(layout, name, cluster=small).fits


@given(layout=layouts(), name=models, software=softwares)
@few
def test_recompute_saves_memory_and_costs_time(
    layout: Layout, name: str, software: Software
) -> None:
    """None, then the core, or one, two, all blocks."""
    steps = [(Recompute.NONE, 0), (Recompute.BLOCK, 1), (Recompute.BLOCK, 2), (Recompute.FULL, 0)]
    selective = [(Recompute.NONE, 0), (Recompute.SELECTIVE, 0), (Recompute.FULL, 0)]
    for chain in (steps, selective):
        found = [
            run(replace(layout, recompute=r, recompute_layers=k), name, software) for r, k in chain
        ]
        for less, more in pairwise(found):
            kept = less.first_stage.activations_bytes
            assert more.first_stage.activations_bytes <= kept * (1 + 1e-12)
            assert more.step_time_s >= less.step_time_s * (1 - 1e-12)
