"""Devices that are opened, and those that are refused in one sentence."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from plan3d.hardware_profiles.measure import open_device, opening
from plan3d.hardware_profiles.measure.gauge import NvmlGauge
from plan3d.simulator.errors import InputError
from tests.hardware_profiles.measure.models import nvml


def fake(capability: tuple[int, int] = (9, 0), *, available: bool = True) -> Any:
    cuda = SimpleNamespace(
        is_available=lambda: available,
        device_count=lambda: 2,
        get_device_capability=lambda _: capability,
        get_device_name=lambda _: "NVIDIA H100 80GB HBM3",
        set_device=lambda _: None,
        nccl=SimpleNamespace(version=lambda: (2, 27, 3)),
        get_device_properties=lambda _: SimpleNamespace(
            name="NVIDIA H100 80GB HBM3", uuid="12-34", total_memory=85_000_000_000, major=9,
            minor=0, multi_processor_count=132, L2_cache_size=52_428_800,
        ),
    )  # fmt: skip
    return SimpleNamespace(
        __version__="2.9.1+cu128",
        cuda=cuda,
        version=SimpleNamespace(cuda="12.8" if available else None),
        backends=SimpleNamespace(
            cudnn=SimpleNamespace(version=lambda: 91002, is_available=lambda: True)
        ),
        device=lambda kind, index=0: SimpleNamespace(type=kind, index=index),
        empty=lambda size, **_: SimpleNamespace(size=size),
        int8="int8",
    )


def refusal(kind: str = "cuda") -> str:
    with pytest.raises(InputError) as caught, open_device(kind):
        pass
    return str(caught.value)


def test_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install 'plan3d[cuda]'" in refusal()


def test_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", fake(available=False))
    message = refusal()
    assert message.startswith("no CUDA GPU: torch 2.9.1+cu128, built without it, sees none")
    assert "--device cpu" in message


def test_a_gpu_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", fake((6, 1)))
    message = refusal()
    assert "compute capability 6.1" in message
    assert "V100" in message


def test_more_processes_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", fake())
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert "torchrun --nproc-per-node 2" in refusal()


def test_a_broken_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("WORLD_SIZE", "two")
    assert "WORLD_SIZE is 'two'" in refusal("cpu")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    message = refusal("cpu")
    assert "torchrun" in message
    assert "\n" not in message


def test_no_such_device() -> None:
    assert "no device 'gpu'; did you mean cpu? There are: cpu, cuda" in refusal("gpu")


def test_a_cpu(cpu: Any) -> None:
    assert not cpu.cuda
    assert cpu.name
    assert cpu.memory_bytes > 1e8
    assert cpu.about["device"] == cpu.name
    assert cpu.about["torch"]
    assert cpu.about["date"][:2] == "20"
    assert (cpu.rank, cpu.ranks, cpu.nodes) == (0, 1, 1)


def test_what_is_said_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    driver = NvmlGauge(nvml=nvml(), handle="handle")
    monkeypatch.setattr(opening, "gauge_of", lambda uuid: driver if uuid == "12-34" else None)
    monkeypatch.setattr(opening, "_has_nccl", lambda _: True)
    monkeypatch.setattr(opening, "_fill_s", lambda _: 1e-4)
    monkeypatch.setattr(opening, "_torch", fake)
    with open_device("cuda") as device:
        about = dict(device.about)
        assert device.cuda
        assert device.fill_s == 1e-4
        assert device.scratch.size >= 2 * 52_428_800
        assert device.dtypes == ("bf16", "fp16", "fp8", "tf32", "fp32")
    assert about["profile"] == "h100-80g-sxm"
    assert about["nccl"] == "2.27.3"
    assert {key: about[key] for key in ("driver", "cuda", "cudnn", "sms", "gpus")} == {
        "driver": "550.54.15", "cuda": "12.8", "cudnn": "91002", "sms": "132", "gpus": "2",
    }  # fmt: skip
    assert (about["sm_clock_max_mhz"], about["power_limit_w"]) == ("1980", "700")


def test_a_gpu_in_use_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    used = nvml(nvmlDeviceGetMemoryInfo=SimpleNamespace(used=int(40e9)))
    monkeypatch.setattr(opening, "gauge_of", lambda _: NvmlGauge(nvml=used, handle="handle"))
    monkeypatch.setattr(opening, "_has_nccl", lambda _: True)
    monkeypatch.setattr(opening, "_fill_s", lambda _: 1e-4)
    monkeypatch.setattr(opening, "_torch", fake)
    with open_device("cuda") as device:
        assert device.busy == "other processes hold 40.0 GB"


def test_a_gpu_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 256.00 MiB")

    torch = fake()
    torch.empty = full
    monkeypatch.setattr(opening, "_has_nccl", lambda _: True)
    monkeypatch.setattr(opening, "_torch", lambda: torch)
    message = refusal()
    assert "Tried to allocate 256.00 MiB" in message
    assert "nvidia-smi" in message
