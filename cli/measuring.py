"""Measuring this machine for `plan3d calibrate`, with a bar on a terminal."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plan3d import hardware_profiles
from plan3d.cli import as_json
from plan3d.cli.console import note, say
from plan3d.cli.progress import doing
from plan3d.hardware_profiles.fit import GROUPS
from plan3d.hardware_profiles.measure import Progress, measure, open_device, shapes
from plan3d.hardware_profiles.points import OK, Point, PointsFile, Shape
from plan3d.planner import models
from plan3d.simulator.errors import unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """What is asked of a run of measurements."""

    device: str = "cuda"
    budget_s: float = 300.0
    seed: int = 0
    laws: Sequence[str] = ()
    """Only shapes that one of these laws is fitted to; all if empty."""
    hardware: str | None = None
    """The cluster that all else is from; None is the GPU's usual one, if it has one."""


def points_file(name: Path) -> Path:
    """Return where the points of a calibration are."""
    return name.with_name(f"{name.name}.points.csv")


def measured(asked: Measuring, name: Path, *, json: bool) -> bool:
    """Measure into the points file of `name`; return whether this process is to go on with it.

    Under torchrun only the first process is. A processor's points are no GPU's profile.
    """
    for law in asked.laws:
        if law not in GROUPS:
            raise unknown("group of laws", law, GROUPS)
    path = points_file(name)
    small = asked.device == "cpu"
    zoo = [models.load(known).model for known in models.names()]
    with open_device(asked.device) as device:
        if not small and asked.hardware is None:  # before minutes are spent on measuring
            hardware_profiles.usual_cluster(device.about.get("profile") or device.name)
        if device.rank == 0 and (crowd := device.crowded()):
            note(f"{crowd}; its points are marked and not fitted to")
        wanted = shapes(
            zoo, device=asked.device, dtypes=device.dtypes, memory_bytes=device.memory_bytes,
            ranks=device.ranks, nodes=device.nodes, small=small,
        )  # fmt: skip
        if asked.laws:
            wanted = [shape for shape in wanted if _is_of(shape, asked.laws)]
        if device.rank == 0 and path.exists():
            note(f"going on from {path}")
        with _bar(here=device.rank == 0) as progress:
            found = measure(
                wanted, device, path, budget_s=asked.budget_s, progress=progress, seed=asked.seed
            )
        rank = device.rank
    if rank == 0 and small:
        _say_small(found, path, json=json)
    return rank == 0 and not small


def _is_of(shape: Shape, laws: Sequence[str]) -> bool:
    """Whether a shape, once measured, is one of these laws'."""
    point = Point(shape=shape, time_s=1.0)
    return any(law.owns(point) for name in laws for law in GROUPS[name].laws([point]))


def _say_small(found: PointsFile, path: Path, *, json: bool) -> None:
    """Say what a trial on a processor measured."""
    kinds = Counter(point.shape.kind for point in found.points if point.measured)
    others = Counter(point.status for point in found.points if point.status != OK)
    if json:
        said = {"about": found.about, "file": str(path), "measured": kinds, "others": others}
        say(as_json.dumps(said))
        return
    say(f"{path}: " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()))
    if others:
        say("not measured: " + ", ".join(f"{n} {status}" for status, n in others.items()))
    say("no profile: these are small shapes on a processor, and plan3d plans for GPUs")


@contextmanager
def _bar(*, here: bool) -> Iterator[Progress]:
    """Say which shape is measured, on one of the processes."""
    with doing("measuring", here=here) as told:

        def heard(done: int, total: int, shape: Shape, elapsed_s: float) -> None:
            told(done, total, f"{shape.kind} {shape.op} {shape.direction}, {elapsed_s:.0f} s")

        yield heard
