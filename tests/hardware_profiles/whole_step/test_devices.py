"""Which device can be measured on, and the profile that is its like."""

import sys
from types import SimpleNamespace

import pytest

from plan3d.hardware_profiles.whole_step.devices import cluster_of, ready
from plan3d.simulator.errors import InputError


def with_torch(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] | None, name: str = "NVIDIA X"
) -> None:
    """Stand in for a torch that sees one GPU, or none."""
    cuda = SimpleNamespace(
        is_available=lambda: capability is not None,
        device_count=lambda: 1,
        get_device_name=lambda *_: name,
        get_device_capability=lambda *_: capability,
    )
    built = SimpleNamespace(cuda=None)
    fake = SimpleNamespace(cuda=cuda, __version__="2.5", version=built)
    monkeypatch.setitem(sys.modules, "torch", fake)


def test_the_cluster_has_the_gpu_that_the_driver_names() -> None:
    assert cluster_of("NVIDIA H200").gpu.name == "h200-141g-sxm"
    assert cluster_of("NVIDIA A100-SXM4-40GB").gpu.name == "a100-40g-sxm"


def test_a_gpu_without_a_profile_is_named() -> None:
    with pytest.raises(InputError, match="no shipped profile of NVIDIA H100 NVL; --hardware"):
        cluster_of("NVIDIA H100 NVL")


def test_without_torch_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for device in ("cuda", "cpu"):
        with pytest.raises(InputError, match=r"pip install 'plan3d\[cuda\]'"):
            ready(device)


def test_without_a_gpu_the_cpu_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch(monkeypatch, None)
    with pytest.raises(InputError, match=r"no CUDA GPU: .*--device cpu does what needs none"):
        ready("cuda")
    assert ready("cpu") == "cpu"


def test_old_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch(monkeypatch, (6, 0), "Tesla P100")
    with pytest.raises(InputError, match=r"Tesla P100 has compute capability 6\.0; 7\.0 or later"):
        ready("cuda")
    with_torch(monkeypatch, (7, 0), "Tesla V100-SXM2-32GB")
    assert ready("cuda") == "Tesla V100-SXM2-32GB"


def test_another_device_is_unknown() -> None:
    with pytest.raises(InputError, match="no device 'tpu'"):
        ready("tpu")
