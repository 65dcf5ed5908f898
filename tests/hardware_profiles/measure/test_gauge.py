"""What a driver says, from one that is not there."""

import sys
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from plan3d.hardware_profiles.measure import gauge
from plan3d.hardware_profiles.measure.gauge import NoGauge, NvmlGauge, Reading, gauge_of
from tests.hardware_profiles.measure.models import FakeNvmlError, nvml


def made(**changes: Any) -> NvmlGauge:
    return NvmlGauge(nvml=nvml(**changes), handle="handle")


def refuse(*_: object) -> NoReturn:
    raise FakeNvmlError("not supported")


def test_an_idle_gpu() -> None:
    idle = made()
    assert idle.read() == Reading(clock_hz=1.755e9)
    assert idle.loaded() == ""
    assert idle.crowded(0.0) == ""
    assert idle.facts() == {
        "driver": "550.54.15", "sm_clock_max_mhz": "1980", "power_limit_w": "700",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0x20, "software thermal slowdown"),
        (0x40, "hardware thermal slowdown"),
        (0x80, "power brake"),
        (0x08, "hardware slowdown"),
        (0x48, "hardware thermal slowdown, hardware slowdown"),
    ],
)
def test_what_spoils_a_time(bits: int, words: str) -> None:
    reading = made(nvmlDeviceGetCurrentClocksEventReasons=bits).read()
    assert reading.throttled == words
    assert not reading.capped


@pytest.mark.parametrize("bits", [0x1, 0x2, 0x10, 0x100])
def test_what_does_not(bits: int) -> None:
    assert made(nvmlDeviceGetCurrentClocksEventReasons=bits).read().throttled == ""


def test_the_power_limit_is_normal() -> None:
    reading = made(nvmlDeviceGetCurrentClocksEventReasons=0x4).read()
    assert reading.capped
    assert reading.throttled == ""


def test_an_older_driver_has_the_older_name() -> None:
    old = nvml(nvmlDeviceGetCurrentClocksThrottleReasons=0x40)
    del old.nvmlDeviceGetCurrentClocksEventReasons
    assert NvmlGauge(nvml=old, handle="handle").read().throttled == "hardware thermal slowdown"


def test_memory_of_others() -> None:
    crowd = made(nvmlDeviceGetMemoryInfo=SimpleNamespace(used=int(30e9)))
    assert crowd.crowded(5e9) == "other processes hold 25.0 GB"
    assert crowd.crowded(29e9) == ""


def test_a_gpu_that_others_keep_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(gauge.time, "sleep", slept.append)
    busy = made(nvmlDeviceGetUtilizationRates=SimpleNamespace(gpu=87))
    assert busy.loaded() == "another process keeps the GPU 87 % busy"
    assert sum(slept) <= 1.0
    # what has just ended shows for a moment, and then no more
    looks = iter([SimpleNamespace(gpu=50), SimpleNamespace(gpu=0)])
    assert made(nvmlDeviceGetUtilizationRates=lambda _: next(looks)).loaded() == ""


def test_what_a_driver_does_not_support_is_unknown() -> None:
    silent = made(**{name: refuse for name in vars(nvml()) if name.startswith("nvmlDevice")})
    assert silent.read() == Reading()
    assert silent.loaded() == silent.crowded(0.0) == ""
    assert silent.facts() == {"driver": "550.54.15"}


def test_the_gauge_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setitem(sys.modules, "pynvml", nvml(nvmlDeviceGetHandleByUUID=asked.append))
    assert isinstance(gauge_of("1234"), NvmlGauge)
    assert isinstance(gauge_of("MIG-5"), NvmlGauge)
    assert asked == ["GPU-1234", "MIG-5"]
    monkeypatch.setitem(sys.modules, "pynvml", nvml(nvmlInit=refuse))
    assert isinstance(gauge_of("1234"), NoGauge)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert isinstance(gauge_of("1234"), NoGauge)
