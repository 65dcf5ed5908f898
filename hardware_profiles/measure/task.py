"""What a kind of measurement hands over: something to run, and how far its result is off."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from plan3d.hardware_profiles.points.point import Shape

if TYPE_CHECKING:
    from plan3d.hardware_profiles.measure.device import Device


class UnsupportedError(Exception):
    """The device or torch cannot run this shape: the message says why."""


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One shape, made ready: its tensors are filled and its kernel is chosen."""

    run: Callable[[], object]
    """What is timed."""
    error: Callable[[], float]
    """Largest difference of sampled results from a reference in float64, over the largest of the
    reference; it runs what it checks. [1]"""
    tolerance: float
    """Largest error that rounding explains. [1]"""
    before: Callable[[], object] = nothing
    """Enqueued before each run, and not timed."""
    after: Callable[[], object] = nothing
    """Enqueued after each run, and not timed."""
    per: int = 1
    """Equal parts of one run: the time is that of one. [1]"""
    host_clock: bool = False
    """Time on the host until all is enqueued, not on the device until it is done."""
    note: str = ""
    """What is to be known about the time."""


class Build(Protocol):
    """A kind of measurement."""

    def __call__(self, shape: Shape, device: "Device") -> Task:
        """Make a shape ready.

        Raises
        ------
        UnsupportedError
            If the device or torch cannot run it.
        """
