"""From the shapes that the harness measures to a profile, on a GPU unlike any shipped one."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from plan3d.hardware_profiles import load_path
from plan3d.hardware_profiles.fit import calibrate, profile_toml
from plan3d.hardware_profiles.fit.calibration import GROUPS
from plan3d.hardware_profiles.fit.law import Columns
from plan3d.hardware_profiles.measure.plan import shapes
from plan3d.hardware_profiles.points import Point, Shape, append, read_points, start
from plan3d.planner import models
from plan3d.simulator.hardware import Cluster
from tests.hardware_profiles.fit.points import H100

TRUTH: dict[str, float] = {
    "gpu.gemm.efficiency": 0.7, "gpu.gemm.droop": 0.05, "gpu.gemm.overhead_s": 8.0,
    "gpu.gemm.memory_efficiency": 0.6, "gpu.gemm.fp8_efficiency": 0.5,
    "gpu.elementwise_efficiency": 0.65, "gpu.elementwise_overhead_s": 4.0,
    "gpu.host_bytes_per_s": 20.0, "node.latency_s": 20.0, "node.step_latency_s": 1.6,
    "node.ramp_s_per_sqrt_byte": 10.0, "node.group_loss": 0.4,
    "node.all_reduce_bytes_per_s": 300.0, "node.all_gather_bytes_per_s": 250.0,
    "node.reduce_scatter_bytes_per_s": 260.0, "node.all_to_all_bytes_per_s": 200.0,
    "node.all_to_all_latency_s": 15.0, "node.all_to_all_step_s": 1.0,
    "node.p2p_latency_s": 12.0, "node.p2p_bytes_per_s": 200.0,
    "network.efficiency": 0.7, "network.tree_latency_s": 60.0, "network.ring_latency_s": 25.0,
    "network.p2p_latency_s": 30.0, "network.p2p_efficiency": 0.5,
}  # fmt: skip
"""In the units of the fits: none is the shipped value."""


@cache
def plan(ranks: int, nodes: int) -> tuple[Shape, ...]:
    zoo = [models.load(name).model for name in ("gpt3-1.3b", "gpt175b", "llama-3-8b")]
    return tuple(
        shapes(zoo, device="cuda", dtypes=("bf16", "fp8"), memory_bytes=80e9, ranks=ranks,
               nodes=nodes)
    )  # fmt: skip


def measured(wanted: tuple[Shape, ...], noise: float = 0.02) -> list[Point]:
    """Return points of the made-up GPU; shapes that no law owns take as long as they like."""
    random = np.random.default_rng(6)
    points = [
        Point(shape=s, time_s=1e-3, repeats=50, gpu="h100-80g-sxm", site="here") for s in wanted
    ]
    truth = real(H100)
    for group in GROUPS.values():
        for law in group.laws(points):
            rows = [i for i, point in enumerate(points) if law.owns(point)]
            if not rows:
                continue
            own = Columns([points[i] for i in rows])
            free = law.constants(truth, own)
            values = {
                c.key.rsplit(".", 1)[-1]: TRUTH.get(c.key, 1.1 * c.start) * c.scale for c in free
            }
            for i, time_s in zip(rows, law.predict(truth, values, own), strict=True):
                wobble = float(np.exp(noise * random.standard_normal()))
                points[i] = replace(points[i], time_s=float(time_s) * wobble)
    return points


def real(cluster: Cluster) -> Cluster:
    """Return the cluster with the truth that laws build on: of products and of the node."""
    scale = {"latency_s": 1e-6, "step_latency_s": 1e-6, "ramp_s_per_sqrt_byte": 1e-9,
             "all_to_all_latency_s": 1e-6, "all_to_all_step_s": 1e-6, "overhead_s": 1e-6,
             "p2p_latency_s": 1e-6, "elementwise_overhead_s": 1e-6}  # fmt: skip
    parts: dict[str, dict[str, float]] = {"gpu": {}, "gpu.gemm": {}, "node": {}}
    for key, value in TRUTH.items():
        table, _, name = key.rpartition(".")
        factor = scale.get(name, 1e9 if name.endswith("bytes_per_s") else 1.0)
        if table in parts:
            parts[table][name] = value * factor
    gemm = replace(cluster.gpu.gemm, **parts["gpu.gemm"])
    gpu = replace(cluster.gpu, gemm=gemm, **parts["gpu"])  # type: ignore[arg-type]
    return replace(cluster, gpu=gpu, node=replace(cluster.node, **parts["node"]))


def test_a_gpu_unlike_the_shipped_one_is_found_again(tmp_path: Path) -> None:
    """Laws that build on others, too: 8-bit products on 16-bit ones, networks on nodes."""
    path = tmp_path / "mine.points.csv"
    start(path, {"device": "made up"})
    append(path, measured(plan(16, 2)))
    found = calibrate(read_points(path).points, "h100-80g-sxm", H100)
    assert set(found.fits) == set(GROUPS), "every group has points enough in the plan"
    assert not found.thin
    assert not found.refusals
    values = {c.key: c.value for fits in found.fits.values() for fit in fits for c in fit.constants}
    for key, value in TRUTH.items():
        assert values[key] == pytest.approx(value, rel=0.15, abs=0.02), key
    profile = tmp_path / "mine.toml"
    profile.write_text(profile_toml(found, "dgx-h100", {}))
    assert load_path(profile).network.tree_latency_s == pytest.approx(60e-6, rel=0.15)


def test_a_short_budget_still_gives_training_its_laws() -> None:
    """Some 800 shapes fit into five minutes: products, attention and kernels are among them."""
    found = calibrate(measured(plan(1, 1)[:800]), "h100-80g-sxm", H100)
    assert {"gemm", "fp8", "attention", "memory", "host"} <= set(found.fits)
    assert {fit.law for fit in found.fits["attention"]} >= {"attention flash", "attention cudnn"}


def test_what_is_too_thin_is_said() -> None:
    found = calibrate(measured(plan(1, 1)[:150]), "h100-80g-sxm", H100)
    assert any(text.startswith("attention flash: ") for text in found.thin)
