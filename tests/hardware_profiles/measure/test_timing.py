"""The clock: what is timed, how often, and in what order."""

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from plan3d.hardware_profiles.measure import device
from plan3d.hardware_profiles.measure.device import Device
from plan3d.hardware_profiles.measure.gauge import Reading
from plan3d.hardware_profiles.measure.task import Task
from plan3d.hardware_profiles.measure.timing import FEWEST, MOST, time_kernel
from tests.hardware_profiles.measure.models import FakeGauge


def sleeper(time_s: float) -> Task:
    return Task(run=lambda: time.sleep(time_s), error=lambda: 0.0, tolerance=0.0)


def test_a_known_time(cpu: Device) -> None:
    timing = time_kernel(sleeper(0.004), cpu, target_s=0.05)
    assert 0.004 <= timing.time_s < 0.008
    assert FEWEST <= timing.repeats <= 13
    assert timing.spread < 1


def test_repeats_keep_to_the_target_and_to_the_limits(cpu: Device) -> None:
    assert time_kernel(sleeper(0.002), cpu, target_s=0.0).repeats == FEWEST
    nothing = Task(run=lambda: None, error=lambda: 0.0, tolerance=0.0)
    assert time_kernel(nothing, cpu, target_s=0.05).repeats == MOST


def test_one_of_several_equal_parts(cpu: Device) -> None:
    whole = time_kernel(sleeper(0.004), cpu, target_s=0.0).time_s
    part = time_kernel(replace(sleeper(0.004), per=4), cpu, target_s=0.0).time_s
    assert part == pytest.approx(whole / 4, rel=0.5)


@pytest.mark.parametrize("host_clock", [False, True])
def test_what_surrounds_a_run_is_not_timed(cpu: Device, host_clock: bool) -> None:
    around = replace(
        sleeper(0.001),
        before=lambda: time.sleep(0.01),
        after=lambda: time.sleep(0.01),
        host_clock=host_clock,
    )
    assert time_kernel(around, cpu, target_s=0.0).time_s < 0.006


class Stream:
    """A device that writes down what it is told, and takes 1, 2, 3 ... ms for the repeats."""

    fill_s = 0.0

    def __init__(self) -> None:
        self.told: list[str] = []
        self.marks = 0
        self.gauge = FakeGauge(reading=Reading(clock_hz=1e9))

    def synchronize(self) -> None:
        self.told.append("synchronize")

    def cover(self, enqueue_s: float) -> None:
        assert enqueue_s > 0
        self.told.append("cover")

    def mark(self) -> int:
        self.told.append("mark")
        self.marks += 1
        return self.marks

    def between_s(self, first: int, second: int) -> float:
        assert second == first + 1
        return second / 2 * 1e-3

    def agree(self, value: float) -> float:
        return value


def test_the_order_in_a_stream() -> None:
    stream: Any = Stream()
    told = stream.told
    task = Task(
        run=lambda: told.append("run"),
        before=lambda: told.append("before"),
        after=lambda: told.append("after"),
        error=lambda: 0.0,
        tolerance=0.0,
    )
    timing = time_kernel(task, stream, target_s=0.0)
    repeat = ["cover", "before", "mark", "run", "mark", "after"]
    assert told[-(FEWEST * len(repeat)) - 1 :] == repeat * FEWEST + ["synchronize"]
    assert timing.time_s == pytest.approx(3e-3)  # of 1, 2, 3, 4, 5 ms
    assert timing.spread == pytest.approx(2 / 3)  # quartiles 2 and 4 ms
    assert timing.reading.clock_hz == 1e9


def test_the_cover_is_as_long_as_enqueueing(cpu: Device) -> None:
    fills: list[int] = []
    scratch = SimpleNamespace(zero_=lambda: fills.append(1))
    gpu = replace(cpu, scratch=scratch, fill_s=1e-4)
    gpu.cover(2e-6)
    assert len(fills) == 1  # the cache is emptied in any case
    gpu.cover(1e-3)
    assert len(fills) == 1 + 20  # twice the millisecond
    gpu.cover(10.0)
    assert len(fills) == 21 + 500  # and never longer than 50 ms


class Event:
    """An event of a stream that passes one every 3 ms."""

    passed = 0

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing
        self.at = 0
        self.waited = False

    def record(self) -> None:
        Event.passed += 1
        self.at = Event.passed

    def synchronize(self) -> None:
        self.waited = True

    def elapsed_time(self, later: "Event") -> float:
        return 3.0 * (later.at - self.at)


def test_events_of_a_gpu(cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_event", Event)
    gpu = replace(cpu, where=SimpleNamespace(type="cuda"))
    first, second = gpu.mark(), gpu.mark()
    assert gpu.between_s(first, second) == pytest.approx(3e-3)
    gpu.wait_for(second)
    assert second.waited


def test_torchs_own_memory_is_nobody_elses(cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def reserved(where: object) -> int:
        asked.append(where)
        return int(2e9)

    monkeypatch.setattr(device.torch.cuda, "memory_reserved", reserved)
    gpu = replace(
        cpu, where=SimpleNamespace(type="cuda"), gauge=FakeGauge(others="others hold memory")
    )
    assert gpu.crowded() == ""
    assert cpu.crowded() == ""
    assert asked == [gpu.where]
