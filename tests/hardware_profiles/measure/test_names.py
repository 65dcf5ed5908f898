"""The shipped profile of a device."""

import pytest

from plan3d.hardware_profiles import part_names
from plan3d.hardware_profiles.measure.names import PROFILES, profile_name


@pytest.mark.parametrize(
    ("device", "profile"),
    [
        ("NVIDIA H100 80GB HBM3", "h100-80g-sxm"),
        ("NVIDIA H100 PCIe", "h100-80g-pcie"),
        ("NVIDIA H200", "h200-141g-sxm"),
        ("NVIDIA A100-SXM4-80GB", "a100-80g-sxm"),
        ("A100-SXM4-40GB", "a100-40g-sxm"),
        ("NVIDIA A100 80GB PCIe", "a100-80g-pcie"),
        ("Tesla V100-SXM2-32GB", "v100-32g"),
        ("Tesla V100-SXM2-16GB", "v100-16g"),
        ("NVIDIA B200", "b200-180g-sxm"),
        ("NVIDIA GB200", "gb200-186g"),
        ("NVIDIA H100 NVL", ""),
        ("NVIDIA H200 NVL", ""),
        ("NVIDIA GH200 480GB", ""),
        ("NVIDIA A100-PCIE-40GB", ""),
        ("NVIDIA GeForce RTX 4090", ""),
        ("AMD EPYC 9654", ""),
        ("", ""),
    ],
)
def test_profile_of_a_device(device: str, profile: str) -> None:
    assert profile_name(device) == profile


def test_every_profile_of_the_table_ships() -> None:
    assert set(PROFILES.values()) <= set(part_names("gpus"))
