from dataclasses import replace
from pathlib import Path

import pytest

from plan3d.hardware_profiles import load, load_path
from plan3d.hardware_profiles.fit import Errors, calibrate, changes_toml, choose, profile_toml
from plan3d.hardware_profiles.fit.attention import Attention
from plan3d.hardware_profiles.fit.collectives import NodeCollectives
from plan3d.hardware_profiles.fit.gemm import Gemm
from plan3d.hardware_profiles.points import Point, Shape, read_points
from plan3d.simulator.errors import InputError
from tests.hardware_profiles.fit.points import H100, attentions, collectives, gemms, times
from tests.hardware_profiles.fit.test_laws import CASES

POINTS = Path(__file__).parents[3] / "benchmarks" / "points"
GEMM_TRUTH = CASES[0][2]


def everything() -> list[Point]:
    return [
        *times(Gemm(), gemms(), GEMM_TRUTH),
        *times(Attention("flash"), attentions("flash"), CASES[2][2]),
        *times(NodeCollectives(), collectives(), CASES[3][2]),
    ]


def test_a_profile_has_what_was_fitted_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    found = calibrate(everything(), "h100-80g-sxm", H100)
    assert not found.refusals
    path.write_text(profile_toml(found, "dgx-h100", {"driver": "1.2"}))
    mine, base = load_path(path), load("dgx-h100")
    assert mine.gpu.gemm.efficiency == pytest.approx(0.71, rel=1e-3)
    assert mine.gpu.gemm.overhead_s == pytest.approx(6e-6, rel=1e-3)
    assert mine.gpu.attention["flash2"].efficiency == pytest.approx((0.41, 0.6), rel=1e-2)
    assert mine.gpu.attention["flash2"].kv_share == pytest.approx(0.4, rel=0.02)
    assert mine.node.all_gather_bytes_per_s == pytest.approx(2e11, rel=1e-2)
    assert mine.node.ramp_s_per_sqrt_byte == pytest.approx(8e-9, rel=1e-2)
    assert mine.node.p2p_bytes_per_s == base.node.p2p_bytes_per_s
    assert mine.gpu.peaks == base.gpu.peaks
    assert mine.gpu.attention["flash3"] == base.gpu.attention["flash3"]
    assert mine.network == base.network
    assert "plan3d calibrate: fit of 120 points" in mine.sources["gpu.gemm.efficiency"]
    assert "# driver: 1.2" in path.read_text()


def test_a_profile_says_that_the_gpu_was_hot() -> None:
    points = everything()
    hot = [replace(p, status="throttled") for p in points[:9]]
    text = profile_toml(calibrate(points + hot, "h", H100), "dgx-h100", {})
    assert f"# throttled: 9 of {len(set(points)) + 9} points, not fitted to" in text
    assert "# busy" not in text


def test_two_names_of_one_kernel_give_one_table(tmp_path: Path) -> None:
    points = [
        *times(Attention("flash"), attentions("flash"), CASES[2][2]),
        *times(Attention("FlashAttention-2"), attentions("FlashAttention-2"), CASES[2][2]),
    ]
    path = tmp_path / "mine.toml"
    path.write_text(profile_toml(calibrate(points, "h", H100), "dgx-h100", {}))
    assert load_path(path).gpu.attention["flash2"].overhead_s == pytest.approx(9e-6, rel=0.02)


def test_a_fit_that_is_too_far_off_is_refused_with_the_reason() -> None:
    noisy = times(Gemm(), gemms(), GEMM_TRUTH, noise=0.5)
    found = calibrate(noisy, "h100-80g-sxm", H100, ["gemm"])
    (reason,) = found.refusals
    assert reason.startswith("matrix products: median error")
    assert "at most 8% and 25% would do" in reason


def test_a_kernel_that_no_profile_has_stands_in_the_way_of_none() -> None:
    bad = times(Attention("efficient"), attentions("efficient"), CASES[2][2], noise=0.8)
    good = times(Attention("cudnn"), attentions("cudnn"), CASES[2][2])
    assert not calibrate(bad + good, "h", H100, ["attention"]).refusals
    (nothing,) = calibrate(bad, "h", H100, ["attention"]).refusals
    assert nothing == "none of these laws has a place in a profile"
    named = times(Attention("flash"), attentions("flash"), CASES[2][2], noise=0.8)
    assert calibrate(named, "h", H100, ["attention"]).refusals


def test_the_points_of_one_gpu_and_site() -> None:
    points = everything()
    other = [replace(p, gpu="a100-80g-sxm", site="there") for p in points[:7]]
    with pytest.raises(InputError, match="choose one with --gpu: a100-80g-sxm, h100-80g-sxm"):
        choose(points + other)
    assert len(choose(points + other, "a100-80g-sxm")[1]) == 7
    assert choose(points + other, site="there")[0] == "a100-80g-sxm"
    with pytest.raises(InputError, match="no GPU in the points 'a100'; did you mean a100-80g-sxm"):
        choose(points + other, "a100")
    with pytest.raises(InputError, match="no point is of a site with 'nowhere'"):
        choose(points, site="nowhere")
    with pytest.raises(InputError, match=r"none of the 1 points is a measurement \(oom"):
        choose([Point(shape=Shape(kind="gemm", op="forward"), status="oom", note="2 TiB")])


def test_nothing_to_fit() -> None:
    with pytest.raises(InputError, match="nothing to fit: 3 points of gemm, too few"):
        calibrate(everything()[:3], "h", H100, ["gemm"])
    with pytest.raises(InputError, match="no group of laws 'gem'; did you mean gemm"):
        calibrate(everything(), "h", H100, ["gem"])


@pytest.mark.parametrize(
    ("gpu", "cluster", "gemm", "node"),
    [("a100-80g-sxm", "dgx-a100-80g", 0.05, 0.05), ("h100-80g-sxm", "dgx-h100", 0.05, 0.05)],
)
def test_the_laws_fit_the_published_points(
    gpu: str, cluster: str, gemm: float, node: float
) -> None:
    """Medians on halves that were held out, as docs/calibration.md promises."""
    points = read_points(POINTS / "gemm.csv").points + read_points(POINTS / "attention.csv").points
    found = calibrate(choose(points, gpu)[1], gpu, load(cluster), ["gemm", "attention"])
    (products,) = found.fits["gemm"]
    assert products.held_out.median <= gemm
    assert products.one_rate.median > 1.5 * products.held_out.median
    kernels = Errors.pooled([fit.held_out for fit in found.fits["attention"]])
    assert kernels.points > 500
    assert kernels.median <= 0.05
    wires = read_points(POINTS / "collectives.csv").points
    own = choose(wires, gpu, "nccl-tests")[1]
    (inside,) = calibrate(own, gpu, load(cluster), ["node"]).fits["node"]
    assert inside.held_out.median <= node


def test_changes_are_written_and_read_back(tmp_path: Path) -> None:
    base = load("dgx-h100")
    gpu = replace(
        base.gpu,
        gemm=replace(base.gpu.gemm, efficiency=0.75, overhead_s=4.5e-6),
        attention={
            **base.gpu.attention,
            "flash2": replace(base.gpu.attention["flash2"], efficiency=(0.3, 0.35)),
        },
        host_bytes_per_s=5.5e10,
    )
    changed = replace(base, gpu=gpu, network=replace(base.network, tree_latency_s=1.2e-4))
    parts = {"gpu": "h100-80g-sxm", "node": "nvswitch-h100", "network": "ndr-8x400",
             "gpus_per_node": 8}  # fmt: skip
    path = tmp_path / "mine.toml"
    path.write_text(changes_toml(base, changed, parts, "12 runs"))
    found = load_path(path)
    assert found.gpu == changed.gpu
    assert found.network == changed.network
    assert found.node == base.node
    assert found.sources["gpu.host"].endswith("(measured; 12 runs)")
    assert "data sheet" in found.sources["gpu.sms"]
