"""One attempt at a shape: made ready, compared with a reference, timed, and judged."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from plan3d.hardware_profiles.measure import sustained
from plan3d.hardware_profiles.measure.device import Device
from plan3d.hardware_profiles.measure.failure import LONGEST_NOTE, T, tried
from plan3d.hardware_profiles.measure.task import Build, Task
from plan3d.hardware_profiles.measure.timing import time_kernel
from plan3d.hardware_profiles.points.point import OK, Point, Shape
from plan3d.simulator.errors import InputError


class DeviceLostError(Exception):
    """Nothing can be run on the device any more in this process: the message says since what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Measures shapes on a device."""

    device: Device
    seed: int
    target_s: float
    """Time for the repeats of one shape. [s]"""
    builds: Mapping[str, Build]

    def __call__(self, shapes: Sequence[Shape]) -> Iterator[Point]:
        """Yield the point of a shape, or those of shapes that are looks at one load."""
        waiting = list(shapes)
        try:
            for point in self._attempted(shapes):
                waiting.remove(point.shape)
                yield point
        except DeviceLostError as lost:
            note = str(lost)
        else:
            return
        # written down too, else the same command would fail here again and again
        yield from (Point(shape=shape, status="unsupported", note=note) for shape in waiting)
        raise InputError(
            f"the GPU stopped working ({note}); all points before it are in the file, and the "
            f"same command goes on behind it"
        )

    def _attempted(self, shapes: Sequence[Shape]) -> Iterator[Point]:
        first = shapes[0]
        # by shape: a run that is taken up again draws the same numbers
        torch.manual_seed(self.seed + zlib.crc32(repr(first).encode()) + self.device.rank)
        crowd = self.device.crowded()
        load = first.kind == "sustained"
        build = sustained.ready if load else self.builds[first.kind]
        task, status, note = self._all(lambda: build(first, self.device))
        if task is not None:
            status, note = self._checked(task)
        if task is None or status != OK:
            yield from (Point(shape=shape, status=status, note=note) for shape in shapes)
        elif load:
            for point in self._loaded(shapes, task):
                yield _among(crowd, point)
        else:
            yield _among(crowd, self._timed(first, task))

    def _loaded(self, shapes: Sequence[Shape], task: Task) -> Iterator[Point]:
        try:
            yield from sustained.load(shapes, task, self.device)
        except RuntimeError as error:  # it ran before, so the device has failed since
            raise DeviceLostError(" ".join(str(error).split())[:LONGEST_NOTE]) from None

    def _checked(self, task: Task) -> tuple[str, str]:
        off, status, note = self._all(task.error)
        if off is None:
            return status, note
        off = self.device.agree(off)
        if off <= task.tolerance:
            return OK, ""
        return "wrong", f"off by {off:.2g} of the largest value; {task.tolerance:g} is rounding"

    def _timed(self, shape: Shape, task: Task) -> Point:
        timing, status, note = self._all(
            lambda: time_kernel(task, self.device, target_s=self.target_s)
        )
        if timing is None:
            return Point(shape=shape, status=status, note=note)
        reading = timing.reading
        throttled = reading.throttled
        if not throttled and self.device.agree(float(bool(throttled))):
            throttled = "another rank was throttled"
        notes = (throttled, "at the power limit" if reading.capped else "", task.note)
        return Point(
            shape=shape,
            time_s=timing.time_s,
            spread=timing.spread,
            repeats=timing.repeats,
            clock_hz=reading.clock_hz,
            status="throttled" if throttled else OK,
            note="; ".join(text for text in notes if text),
        )

    def _all(self, action: Callable[[], T]) -> tuple[T | None, str, str]:
        """Try an action; where it fails on one rank, it has failed on all."""
        result, status, note = tried(action)
        failed = result is None
        if failed:
            self._still_works(note)
            self.device.release()
        if self.device.agree(float(failed)) and not failed:
            return None, "unsupported", "failed on another rank"
        return result, status, note

    def _still_works(self, note: str) -> None:
        """Find out whether an error was inside a kernel: it ends the CUDA context."""
        try:
            self.device.synchronize()
        except RuntimeError:
            raise DeviceLostError(note) from None


def _among(crowd: str, point: Point) -> Point:
    """Mark a point that was measured beside other users of the device."""
    if not crowd or point.status != OK:
        return point
    return replace(point, status="busy", note="; ".join(t for t in (crowd, point.note) if t))
