"""The device that is measured on: whether it can be, and which shipped cluster has its like."""

from typing import Final

from plan3d.hardware_profiles.loader import compose
from plan3d.hardware_profiles.measure.names import profile_name
from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.hardware import Cluster

CPU, CUDA = "cpu", "cuda"
DEVICES: Final = (CUDA, CPU)
OLDEST: Final = (7, 0)
"""Compute capability from which 16-bit matrix products have units of their own (Volta)."""
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
    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
    try:
        import torch  # noqa: PLC0415  # an extra, and 2 s
    except (ImportError, OSError) as error:  # OSError: a library that it links to is missing
        raise InputError(
            f"measuring needs PyTorch, which cannot be imported ({type(error).__name__}); "
            "pip install 'plan3d[cuda]' installs it"
        ) from None
    if device == CPU:
        return CPU
    if not torch.cuda.is_available():
        raise InputError(
            f"PyTorch {torch.__version__} finds no CUDA device; --device cpu checks memory"
        )
    name, capability = torch.cuda.get_device_name(), torch.cuda.get_device_capability()
    if capability < OLDEST:
        raise InputError(
            f"the {name} has compute capability {capability[0]}.{capability[1]}, but 7.0 is "
            "needed (V100 or later); --device cpu checks memory"
        )
    return str(name)
