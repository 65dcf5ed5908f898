"""What becomes of a shape: a time, or the reason why there is none."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from plan3d.hardware_profiles.measure import sustained  # noqa: E402
from plan3d.hardware_profiles.measure.attempt import Attempts  # noqa: E402
from plan3d.hardware_profiles.measure.device import Device  # noqa: E402
from plan3d.hardware_profiles.measure.gauge import Reading  # noqa: E402
from plan3d.hardware_profiles.measure.kernels.table import BUILDS  # noqa: E402
from plan3d.hardware_profiles.measure.task import Task, UnsupportedError  # noqa: E402
from plan3d.hardware_profiles.points import Point, Shape  # noqa: E402
from plan3d.simulator.errors import InputError  # noqa: E402
from tests.hardware_profiles.measure.models import FakeGauge  # noqa: E402

SHAPE = Shape(kind="gemm", op="forward", dtype="fp32", m=16, n=16, k=16)


def tried(device: Device, build: Any, **changes: Any) -> Point:
    attempts = Attempts(
        device=replace(device, **changes), seed=0, target_s=0.0, builds={"gemm": build}
    )
    (point,) = attempts([SHAPE])
    return point


def working(shape: Shape, device: Device) -> Task:  # noqa: ARG001
    return Task(run=lambda: sum(range(1000)), error=lambda: 0.0, tolerance=0.1, note="fake")


def raising(error: Exception) -> Callable[..., Task]:
    def build(shape: Shape, device: Device) -> Task:  # noqa: ARG001
        raise error

    return build


def test_a_time(cpu: Device) -> None:
    point = tried(cpu, working)
    assert point.measured
    assert (point.status, point.note, point.shape) == ("ok", "fake", SHAPE)


@pytest.mark.parametrize(
    ("error", "status", "note"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"), "oom", "9 GiB"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "oom", "CUBLAS"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you"), "oom", "Allocator"),
        (MemoryError(), "oom", ""),
        (UnsupportedError("no such unit"), "unsupported", "no such unit"),
        (RuntimeError("expected\n  something else"), "unsupported", "expected something else"),
        (NotImplementedError("not on this device"), "unsupported", "not on this device"),
    ],
)
def test_what_torch_refuses_is_written_down(
    error: Exception, status: str, note: str, cpu: Device
) -> None:
    point = tried(cpu, raising(error))
    assert point.status == status
    assert note in point.note
    assert point.time_s == 0


def test_out_of_memory_while_it_runs(cpu: Device) -> None:
    def run() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    def build(shape: Shape, device: Device) -> Task:
        return replace(working(shape, device), run=run)

    assert tried(cpu, build).status == "oom"


def test_memory_that_is_really_short(cpu: Device) -> None:
    huge = replace(SHAPE, m=2**23, k=2**23)
    attempts = Attempts(device=cpu, seed=0, target_s=0.0, builds=BUILDS)
    (point,) = attempts([huge])
    assert point.status == "oom"


def test_a_fault_of_this_package_is_not_hidden(cpu: Device) -> None:
    with pytest.raises(TypeError, match="ours"):
        tried(cpu, raising(TypeError("ours")))


@pytest.mark.parametrize("error", [0.2, float("nan"), float("inf")])
def test_a_wrong_result_has_no_time(error: float, cpu: Device) -> None:
    def build(shape: Shape, device: Device) -> Task:
        return replace(working(shape, device), error=lambda: error)

    point = tried(cpu, build)
    assert point.status == "wrong"
    assert not point.measured
    assert "0.1 is rounding" in point.note


def test_throttled(cpu: Device) -> None:
    hot = FakeGauge(reading=Reading(clock_hz=1e9, throttled="hardware thermal slowdown"))
    point = tried(cpu, working, gauge=hot)
    assert point.status == "throttled"
    assert point.clock_hz == 1e9
    assert "hardware thermal slowdown" in point.note
    assert not point.measured


def test_the_power_limit_is_only_noted(cpu: Device) -> None:
    point = tried(cpu, working, gauge=FakeGauge(reading=Reading(capped=True)))
    assert point.measured
    assert "at the power limit" in point.note


def test_busy(cpu: Device) -> None:
    point = tried(cpu, working, gauge=FakeGauge(others="other processes hold 9.0 GB"))
    assert point.status == "busy"
    assert point.time_s > 0
    assert "other processes hold 9.0 GB" in point.note
    point = tried(cpu, working, busy="another process keeps the GPU 87 % busy")
    assert point.status == "busy"


def test_a_gpu_that_stopped_ends_the_run(cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(_: Device) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(Device, "synchronize", dead)
    build = raising(RuntimeError("CUDA error: an illegal memory access"))
    points = Attempts(device=cpu, seed=0, target_s=0.0, builds={"gemm": build})([SHAPE])
    # the shape that did it is written down, so that the next run begins behind it
    failed = next(points)
    assert (failed.status, failed.shape) == ("unsupported", SHAPE)
    assert "illegal memory access" in failed.note
    with pytest.raises(InputError, match=r"the GPU stopped working.*goes on behind it"):
        next(points)


def test_a_gpu_that_stops_under_load(cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    right = sustained.load

    def breaks(*arguments: Any) -> Iterator[Point]:
        yield next(right(*arguments))
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(sustained, "load", breaks)
    points = Attempts(device=cpu, seed=0, target_s=0.0, builds=BUILDS)(load(0.01, 0.02, 0.03))
    assert [next(points).status for _ in range(3)] == ["ok", "unsupported", "unsupported"]
    with pytest.raises(InputError, match="unspecified launch failure"):
        next(points)


def test_the_same_seed_draws_the_same_numbers(cpu: Device) -> None:
    drawn: list[float] = []

    def build(shape: Shape, device: Device) -> Task:
        drawn.append(float(device.normal(1, dtype=torch.float64)))
        return working(shape, device)

    for seed in (1, 1, 2):
        attempts = Attempts(device=cpu, seed=seed, target_s=0.0, builds={"gemm": build})
        list(attempts([SHAPE]))
    assert drawn[0] == drawn[1] != drawn[2]


def load(*elapsed_s: float) -> list[Shape]:
    return [replace(SHAPE, kind="sustained", op="gemm", elapsed_s=s) for s in elapsed_s]


def test_one_load_gives_all_its_points_when_they_are_due(cpu: Device) -> None:
    attempts = Attempts(device=cpu, seed=0, target_s=0.0, builds=BUILDS)
    points = list(attempts(load(0.02, 0.05)))
    assert [p.shape.elapsed_s for p in points] == [0.02, 0.05]
    assert all(p.measured and p.repeats >= 2 for p in points)
    assert points[0].time_s == pytest.approx(points[1].time_s, rel=0.9)


def test_a_load_that_slows_down_shows_it(cpu: Device) -> None:
    """A device whose clock runs slower and slower: chunks of 10, 11, 12 ... ms."""
    moments: Iterator[float] = itertools.accumulate(0.010 + 0.001 * i for i in range(1000))
    slow = replace(cpu, where=torch.device("cpu"))

    class Slow:
        gauge, rank, ranks = FakeGauge(), 0, 1

        def __getattr__(self, name: str) -> Any:
            return getattr(slow, name)

        def mark(self) -> float:
            return next(moments)

    device: Any = Slow()
    attempts = Attempts(device=device, seed=0, target_s=0.0, builds=BUILDS)
    early, late = attempts(load(0.2, 0.8))
    # by the first look a chunk takes about 27 ms, by the second about 40
    assert 1.3 < late.time_s / early.time_s < 1.7


def test_a_load_that_cannot_run_says_so_for_all_its_points(cpu: Device) -> None:
    attempts = Attempts(device=cpu, seed=0, target_s=0.0, builds=BUILDS)
    points = list(attempts([replace(s, dtype="tf32") for s in load(0.1, 0.2)]))
    assert [p.status for p in points] == ["unsupported"] * 2
