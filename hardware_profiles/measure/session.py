"""A run of measurements: from a list of shapes to a file of points, whatever happens meanwhile."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from plan3d.hardware_profiles.points.file import PointsFile, append, read_points, repair, start
from plan3d.hardware_profiles.points.point import Point, Shape
from plan3d.simulator.errors import InputError

if TYPE_CHECKING:
    from plan3d.hardware_profiles.measure.device import Device

TARGET_S: Final = 0.2
"""Time for the repeats of one shape. [s]"""
SAME: Final = ("device", "torch")
"""What must not change between the parts of one file."""

Attempt = Callable[[Sequence[Shape]], Iterable[Point]]


class Progress(Protocol):
    """Who is told after each shape."""

    def __call__(self, done: int, total: int, shape: Shape, elapsed_s: float) -> None:
        """Hear that `done` of `total` shapes are in the file, the last of them `shape`."""


def silent(done: int, total: int, shape: Shape, elapsed_s: float) -> None:
    """Tell nobody."""


def measure(
    shapes: Sequence[Shape],
    device: "Device",
    path: Path,
    *,
    budget_s: float,
    progress: Progress = silent,
    seed: int = 0,
    target_s: float = TARGET_S,
    attempt: Attempt | None = None,
) -> PointsFile:
    """Measure shapes in order into a file, as far as the budget reaches; return the whole file.

    A file that exists is taken up: its shapes are not measured again. Each point is on disk before
    the next is begun, so that nothing but the shape under way is lost. On several ranks, rank 0
    writes.

    Parameters
    ----------
    shapes
        What to measure, the most valuable first.
    device
        Opened by `open_device`.
    path
        Of the points file.
    budget_s
        No shape is begun after it; the one under way is finished. [s]
    progress
        Told after each shape, on rank 0.
    seed
        Of the random tensors.
    target_s
        Time for the repeats of one shape. [s]
    attempt
        Measures shapes of one load; by default on the device.

    Raises
    ------
    InputError
        If the file is of another device or torch, or cannot be written.
    """
    begun_s = time.monotonic()
    about = {**device.about, "seed": str(seed)}
    shapes = device.share(list(shapes))  # memory, and so the list, may differ between ranks
    known = _begun(path, about, device)
    attempt = attempt or _attempt(device, seed, target_s)
    done = PointsFile(about=about, points=known).done
    total = len(done | set(shapes))
    points = list(known)
    for load in _loads(shape for shape in dict.fromkeys(shapes) if shape not in done):
        if device.agree(float(time.monotonic() - begun_s >= budget_s)):
            break
        for raw in attempt(load):
            point = replace(raw, gpu=about.get("profile") or device.name, site=_site(about))
            points.append(point)
            if device.rank == 0:
                with _disk(path):
                    append(path, [point])
                progress(len(points), total, point.shape, time.monotonic() - begun_s)
            if device.agree(float(time.monotonic() - begun_s >= budget_s)):
                break
    return read_points(path) if device.rank == 0 else PointsFile(about=about, points=tuple(points))


def _begun(path: Path, about: Mapping[str, str], device: "Device") -> tuple[Point, ...]:
    """Begin a file, or return the points of one that is taken up, on all ranks."""
    known: tuple[Point, ...] = ()
    problem = ""
    if device.rank == 0:
        try:
            known = _opened(path, about)
        except InputError as error:
            problem = str(error)
    known, problem = device.share((known, problem))
    if problem:
        raise InputError(problem)
    return known


def _opened(path: Path, about: Mapping[str, str]) -> tuple[Point, ...]:
    with _disk(path):
        if not path.exists() or path.stat().st_size == 0:
            start(path, about)
            return ()
        file = read_points(path)
        for key in SAME:
            if file.about.get(key) != about.get(key):
                raise InputError(
                    f"{path} was measured on {key} {file.about.get(key, 'unknown')!r}, and this is "
                    f"{about.get(key, 'unknown')!r}; points of both do not belong in one file: "
                    f"name another one"
                )
        repair(path)
        return file.points


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def _loads(shapes: Iterable[Shape]) -> Iterator[tuple[Shape, ...]]:
    """Yield each shape alone, but neighbours that are looks at one sustained load together."""
    for load, group in itertools.groupby(
        shapes, lambda shape: replace(shape, elapsed_s=0.0) if shape.kind == "sustained" else None
    ):
        if load is None:
            yield from ((shape,) for shape in group)
        else:
            yield tuple(group)


def _attempt(device: "Device", seed: int, target_s: float) -> Attempt:
    # here, because they import torch, which takes seconds and may be missing
    from plan3d.hardware_profiles.measure.attempt import Attempts  # noqa: PLC0415
    from plan3d.hardware_profiles.measure.kernels.table import BUILDS  # noqa: PLC0415

    return Attempts(device=device, seed=seed, target_s=target_s, builds=BUILDS)


def _site(about: Mapping[str, str]) -> str:
    """Return what the points of one run share: their stack."""
    parts = (f"{key} {about[key]}" for key in ("torch", "cuda", "nccl") if about.get(key))
    return " ".join(("plan3d", *parts))
