"""The data that ships: complete, in plausible ranges, every number with its source."""

import subprocess
import sys
from dataclasses import MISSING, fields
from itertools import pairwise

import pytest

from plan3d import hardware_profiles
from plan3d.hardware_profiles import load, part_names, software
from plan3d.hardware_profiles.loader import usual
from plan3d.hardware_profiles.tree import MARKS
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.software import Software


@pytest.mark.parametrize("name", hardware_profiles.names())
def test_every_number_of_a_cluster_has_a_mark_and_a_source(name: str) -> None:
    rows = hardware_profiles.describe(name)
    assert len(rows) > 30
    for row in rows:
        assert row.mark in set(MARKS) - {"given"}, row.path
        assert len(row.source) > 8, row.path
        assert row.source != "no source given", row.path
    assert load(name).sources.keys() == {row.path for row in rows}


@pytest.mark.parametrize("name", hardware_profiles.software_names())
def test_every_number_of_a_generation_has_a_mark_and_a_source(name: str) -> None:
    rows = hardware_profiles.describe_software(name)
    required = [f for f in fields(Software) if f.name != "name" and f.default is MISSING]
    assert len(rows) >= len(required)
    assert all(row.mark in MARKS and len(row.source) > 8 for row in rows)
    assert "no source given" not in {row.source for row in rows}


@pytest.mark.parametrize("gpu", part_names("gpus"))
def test_a_gpu_alone_makes_a_cluster(gpu: str) -> None:
    cluster = hardware_profiles.compose(gpu=gpu)
    assert cluster.gpu.name == gpu
    assert cluster.gpus_per_node == usual(gpu)["gpus_per_node"]
    assert cluster.network.name == usual(gpu)["network"]


def every_cluster() -> list[Cluster]:
    return [load(name) for name in hardware_profiles.names()]


@pytest.mark.parametrize("cluster", every_cluster(), ids=lambda c: c.name)
def test_the_numbers_are_physical(cluster: Cluster) -> None:
    gpu = cluster.gpu
    assert 10 * 2**30 < gpu.memory_bytes < 300 * 2**30
    assert 1e14 < gpu.peaks.fp16 < 1e16
    assert gpu.hbm_bytes_per_s > cluster.node.p2p_bytes_per_s
    assert gpu.context_bytes < gpu.memory_bytes / 5
    # 0.1 to 20 USD an hour
    assert 0.1 < gpu.usd_per_s * 3600 < 20
    assert cluster.node.p2p_bytes_per_s > cluster.network.nic_bytes_per_s / 10
    for law in gpu.attention.values():
        assert max(law.efficiency) <= gpu.gemm.efficiency


@pytest.mark.parametrize(
    ("name", "bf16", "hbm", "power"),
    # NVIDIA's data sheets: dense TFLOP/s, GB/s, W
    [
        ("dgx-a100-80g", 312, 2039, 400),
        ("dgx-a100-40g", 312, 1555, 400),
        ("hgx-a100-pcie", 312, 1935, 300),
        ("dgx-h100", 989.4, 3350, 700),
        ("hgx-h100-pcie", 756, 2000, 350),
        ("dgx-h200", 989.4, 4800, 700),
        ("dgx1-v100", 0, 900, 300),
    ],
)
def test_data_sheet_figures(name: str, bf16: float, hbm: float, power: float) -> None:
    gpu = load(name).gpu
    assert gpu.peaks.bf16 == pytest.approx(bf16 * 1e12)
    assert gpu.hbm_bytes_per_s == pytest.approx(hbm * 1e9)
    assert gpu.power_w == power


def test_the_share_of_one_gpu_of_the_adapters() -> None:
    # four 100 Gbit/s adapters for eight GPUs: 50 Gbit/s = 6.25 GB/s each
    assert load("aws-p4d").network.nic_bytes_per_s == 6.25e9
    # one 200 Gbit/s adapter each: 25 GB/s
    assert load("dgx-a100-80g").network.nic_bytes_per_s == 25e9


@pytest.mark.parametrize(
    ("gpu", "kernel", "combined", "tiles"),
    # FlashAttention-2's published chart, forward and backward, causal, head widths 64 and 128;
    # the benchmark has 16k tokens and hidden size 2,048: tiles per multiprocessor
    [
        ("a100-80g-sxm", "flash2", (0.563, 0.620), (128 * 32 / 108, 128 * 16 / 108)),
        ("h100-80g-sxm", "flash2", (0.296, 0.337), (128 * 32 / 132, 128 * 16 / 132)),
    ],
)
def test_flash_2_agrees_with_its_published_combined_efficiency(
    gpu: str, kernel: str, combined: tuple[float, ...], tiles: tuple[float, ...]
) -> None:
    law = hardware_profiles.compose(gpu=gpu).gpu.attention[kernel]
    for forward, published, x in zip(law.efficiency, combined, tiles, strict=True):
        # 7 matrix products: 2 at e and 5 at 0.85 e
        both = 7 / (2 / forward + 5 / (law.backward * forward)) / (1 + law.occupancy / x)
        assert both == pytest.approx(published, rel=0.01)


def test_volta_has_no_flash_attention() -> None:
    assert not load("dgx2-v100").gpu.attention


@pytest.mark.parametrize("name", hardware_profiles.software_names())
def test_a_generation_names_kernels_that_exist(name: str) -> None:
    kernels = {
        k for gpu in part_names("gpus") for k in hardware_profiles.compose(gpu=gpu).gpu.attention
    }
    assert set(software(name).attention) <= kernels | {"unfused"}


@pytest.mark.parametrize("name", hardware_profiles.software_names())
def test_what_a_loss_keeps_it_has_written(name: str) -> None:
    """So that a generation does not inherit the fused loss of another beside unfused logits."""
    found = software(name)
    assert found.loss_forward_bytes + found.loss_backward_bytes >= found.logits_bytes


def test_a_compiled_step_has_no_python_between_its_collectives() -> None:
    """Though it inherits what PyTorch's FSDP does otherwise."""
    assert software("fsdp2-2024").collective_s > 0
    assert software("jax-2024").collective_s == 0


def test_software_only_gains_overlap_from_generation_to_generation() -> None:
    line = [software(f"megatron-{year}") for year in ("2020", "2021", "2022", "core")]
    for old, new in pairwise(line):
        assert new.tp_overlap >= old.tp_overlap
        assert new.dp_overlap >= old.dp_overlap
        assert new.dispatch_s <= old.dispatch_s


def test_importing_does_not_load_numpy() -> None:
    code = "import sys, plan3d.hardware_profiles; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
