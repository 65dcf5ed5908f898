"""Every law is found again from points that follow it, and the errors it states are true."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.hardware_profiles.fit.attention import Attention
from plan3d.hardware_profiles.fit.collectives import NetworkCollectives, NodeCollectives, Sends
from plan3d.hardware_profiles.fit.gemm import Fp8Gemm, Gemm
from plan3d.hardware_profiles.fit.law import Law, fit_law
from plan3d.hardware_profiles.fit.rates import HostCopies, MemoryBound, best_rates
from plan3d.hardware_profiles.points import Point, Shape
from tests.hardware_profiles.fit.points import A100, H100, attentions, collectives, gemms, times

SIZES = [int(2 ** (i / 4)) for i in range(40, 121)]
CASES: list[tuple[Law, list[Shape], dict[str, float]]] = [
    (
        Gemm(), gemms(),
        {"efficiency": 0.71, "droop": 0.2, "overhead_s": 6e-6, "memory_efficiency": 0.62},
    ),
    (Fp8Gemm(), [replace(s, dtype="fp8") for s in gemms()], {"fp8_efficiency": 0.55}),
    (
        Attention("flash"), attentions("flash"),
        {"efficiency_64": 0.41, "efficiency_128": 0.6, "half_seq_64": 700.0,
         "half_seq_128": 350.0, "occupancy": 1.1, "overhead_s": 9e-6, "kv_share": 0.4,
         "backward": 0.8},
    ),
    (
        NodeCollectives(), collectives(),
        {"latency_s": 7e-6, "step_latency_s": 1.1e-6, "ramp_s_per_sqrt_byte": 8e-9,
         "group_loss": 0.4, "all_reduce_bytes_per_s": 3e11, "all_gather_bytes_per_s": 2e11,
         "reduce_scatter_bytes_per_s": 2.2e11, "all_to_all_bytes_per_s": 1.5e11,
         "all_to_all_latency_s": 1.2e-5, "all_to_all_step_s": 4e-7},
    ),
    (
        NetworkCollectives(), [s for n in (2, 4, 16) for s in collectives(n)],
        {"efficiency": 0.7, "tree_latency_s": 5e-5, "ring_latency_s": 3e-5},
    ),
    (
        Sends(between_nodes=True),
        [Shape(kind="collective", op="send_recv", size_bytes=s, ranks=2, nodes=2) for s in SIZES],
        {"p2p_latency_s": 2e-5, "p2p_efficiency": 0.6},
    ),
    (
        Sends(between_nodes=False),
        [Shape(kind="collective", op="send_recv", size_bytes=s, ranks=2) for s in SIZES],
        {"p2p_latency_s": 8e-6, "p2p_bytes_per_s": 2.5e11},
    ),
    (
        MemoryBound(), [Shape(kind="memory", op="gelu", size_bytes=s) for s in SIZES],
        {"elementwise_efficiency": 0.7, "elementwise_overhead_s": 3e-6},
    ),
    (
        HostCopies(), [Shape(kind="copy", op="host_to_device", size_bytes=s) for s in SIZES],
        {"host_bytes_per_s": 2.1e10, "latency_s": 1.5e-5},
    ),
]  # fmt: skip
every = pytest.mark.parametrize(("law", "shapes", "truth"), CASES, ids=[c[0].name for c in CASES])


@every
def test_the_constants_come_back(law: Law, shapes: list[Shape], truth: dict[str, float]) -> None:
    fit = fit_law(law, H100, times(law, shapes, truth))
    assert fit is not None
    scale = {c.key: c.scale for c in law.constants(H100, _columns(shapes))}
    found = {c.key.rsplit(".", 1)[-1]: c.value * scale[c.key] for c in fit.constants}
    assert found == pytest.approx(truth, rel=0.02)
    assert fit.held_out.p90 < 1e-3


@every
def test_noise_is_stated_as_it_is(law: Law, shapes: list[Shape], truth: dict[str, float]) -> None:
    """Of normal noise of 5 % the median is 3.4 % and nine tenths are below 8.2 %."""
    fit = fit_law(law, H100, times(law, shapes, truth, noise=0.05))
    assert fit is not None
    assert 0.02 < fit.held_out.median < 0.06
    assert 0.05 < fit.held_out.p90 < 0.15
    scale = {c.key: c.scale for c in law.constants(H100, _columns(shapes))}
    far = [
        abs(c.value * scale[c.key] - truth[c.key.rsplit(".", 1)[-1]])
        / max(c.error * scale[c.key], 1e-30)
        for c in fit.constants
    ]
    assert max(far) < 5, "no constant is many standard errors away"


def _columns(shapes: list[Shape]):  # type: ignore[no-untyped-def]
    from plan3d.hardware_profiles.fit.law import Columns  # noqa: PLC0415

    return Columns([Point(shape=s, time_s=1.0) for s in shapes])


def test_a_slower_site_gets_a_scalar_of_its_own() -> None:
    truth = {"efficiency": 0.7, "droop": 0.1, "overhead_s": 5e-6, "memory_efficiency": 0.6}
    here = times(Gemm(), gemms(100), truth)
    there = [
        replace(p, time_s=1.25 * p.time_s, site="there")
        for p in times(Gemm(), gemms(30, seed=5), truth)
    ]
    fit = fit_law(Gemm(), H100, here + there)
    assert fit is not None
    assert fit.sites == {"there": pytest.approx(1.25, rel=1e-3)}
    assert fit.constants[0].value == pytest.approx(0.7, rel=1e-3)


def test_networks_are_of_one_site_only() -> None:
    law = NetworkCollectives()
    shapes = [s for n in (2, 4) for s in collectives(n)]
    truth = {"efficiency": 0.7, "tree_latency_s": 5e-5, "ring_latency_s": 3e-5}
    fast = times(law, shapes, truth)
    slow = times(law, shapes[::3], {**truth, "efficiency": 0.1}, site="there")
    fit = fit_law(law, H100, fast + slow)
    assert fit is not None
    assert fit.held_out.points == len(fast)


def test_sustained_products_fix_the_droop() -> None:
    """A lone kernel of 1 us says nothing of the clocks; seconds of them do."""
    truth = {"efficiency": 0.8, "droop": 0.3, "overhead_s": 4e-6, "memory_efficiency": 0.7}
    short = [Shape(kind="gemm", op="forward", m=64 * i, n=512, k=512) for i in range(1, 60)]
    big = Shape(kind="sustained", op="gemm", m=8192, n=8192, k=8192)
    late = [replace(big, elapsed_s=float(s)) for s in range(1, 30)]
    fit = fit_law(Gemm(), A100, times(Gemm(), short + late, truth, cluster=A100))
    assert fit is not None
    droop = next(c for c in fit.constants if c.key.endswith("droop"))
    assert droop.value == pytest.approx(0.3, abs=0.01)
    early = [p for p in (Point(shape=s, time_s=1.0) for s in late) if not Gemm().owns(p)]
    assert [p.shape.elapsed_s for p in early] == [1, 2, 3, 4], "the clocks have not settled yet"


def test_too_few_points_are_not_fitted() -> None:
    truth = {"efficiency": 0.7, "droop": 0.1, "overhead_s": 5e-6, "memory_efficiency": 0.6}
    points = times(Gemm(), gemms(23), truth)
    assert fit_law(Gemm(), H100, points) is None
    assert fit_law(Gemm(), H100, []) is None
    bad = [replace(p, status="throttled") for p in times(Gemm(), gemms(100), truth)]
    assert fit_law(Gemm(), H100, bad) is None, "what is not to be trusted is not fitted to"


def test_the_same_points_give_the_same_fit() -> None:
    law, shapes, truth = CASES[0]
    points = times(law, shapes, truth, noise=0.1)
    one, two = fit_law(law, H100, points), fit_law(law, H100, points)
    assert one is not None
    assert two is not None
    assert one.constants == two.constants
    assert one.held_out.each.tolist() == two.held_out.each.tolist()


def test_one_constant_rate_by_hand() -> None:
    """Four copies at half the bandwidth but one: the median is half, the odd one is off by 2."""
    hbm = H100.gpu.hbm_bytes_per_s
    points = [
        Point(shape=Shape(kind="memory", op="gelu", size_bytes=2**20), time_s=2**21 / hbm)
        for _ in range(40)
    ]
    fit = fit_law(MemoryBound(), H100, points)
    assert fit is not None
    assert fit.one_rate.median == pytest.approx(0.0, abs=1e-12)


def test_rates_are_those_of_large_operands() -> None:
    hbm = H100.gpu.hbm_bytes_per_s
    small = Point(shape=Shape(kind="memory", op="gelu", direction="forward", size_bytes=2**10),
                  time_s=5e-6)  # fmt: skip
    large = [
        Point(
            shape=Shape(kind="memory", op="gelu", direction="forward", size_bytes=2**28),
            time_s=2**28 / (share * hbm),
        )
        for share in (0.7, 0.8, 0.9)
    ]
    (rate,) = best_rates([small, *large], H100)
    assert (rate.name, rate.points) == ("gelu forward", 4)
    assert rate.share == pytest.approx(0.8)
    assert rate.floor_s == pytest.approx(5e-6)
    assert np.isfinite(rate.share)
