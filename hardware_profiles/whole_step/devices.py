"""The device that is measured on: whether it can be, and which shipped cluster has its like."""

from typing import Final

from plan3d.hardware_profiles.loader import compose
from plan3d.hardware_profiles.measure.names import profile_name
from plan3d.hardware_profiles.measure.opening import usable_torch
from plan3d.simulator.errors import InputError
from plan3d.simulator.hardware import Cluster

CPU, CUDA = "cpu", "cuda"
STAND_IN: Final = "dgx-a100-80g"
"""Cluster for a prediction of memory alone: any GPU with fused attention needs the same."""


def cluster_of(name: str) -> Cluster:
    """Return a cluster with a GPU, by the name that its driver gives it; its networks are usual.

    Raises
    ------
    InputError
        If no shipped profile is of that GPU.

    Examples
    --------
    >>> cluster_of("NVIDIA H100 80GB HBM3").gpu.name
    'h100-80g-sxm'
    """
    gpu = profile_name(name)
    if not gpu:
        raise InputError(
            f"there is no shipped profile of {name}; --hardware takes the name of a cluster whose "
            "GPU is like it, or a TOML file of your own"
        )
    return compose(gpu=gpu)


def ready(device: str) -> str:
    """Return the name of a device that can be measured on.

    Raises
    ------
    InputError
        If torch is not installed, or there is no such device, or it is too old.
    """
    torch = usable_torch(device)
    return CPU if device == CPU else str(torch.cuda.get_device_name())
