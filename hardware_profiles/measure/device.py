"""The device that is measured: its clock, its memory, and the other ranks of the run.

The same code runs on a GPU, where work is enqueued and timed by events in its stream, and on a
CPU, where it is done when the call returns.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch
import torch.distributed as dist

from plan3d.hardware_profiles.measure.gauge import Gauge

COVER_MARGIN: Final = 2.0
"""The device is kept busy so much longer than the host needs to enqueue a run. [1]"""
LONGEST_COVER_S: Final = 0.05
NCCL_BYTES: Final = 4e9
"""Buffers of the communicators of a few groups, at most. [bytes]"""

_event: Any = torch.cuda.Event
Mark = Any
"""A moment: an event of the stream, or the time of day on a CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An opened device."""

    where: Any
    """As torch names it."""
    name: str
    """As its driver names it."""
    about: Mapping[str, str]
    """What was measured on, for the head of a points file."""
    gauge: Gauge
    capability: tuple[int, int]
    """Compute capability; (0, 0) for a CPU."""
    memory_bytes: float
    busy: str = ""
    """Who else used it when it was opened."""
    rank: int = 0
    """This process among those of the run. [1]"""
    ranks: int = 1
    local_ranks: int = 1
    """Processes on this machine. [1]"""
    groups: dict[int, Any] = field(default_factory=dict)
    """Communicators by size: making one takes a second, and memory of each GPU."""
    scratch: Any = None
    """A buffer larger than the L2 cache: writing it leaves nothing of a tensor there."""
    fill_s: float = 0.0
    """How long writing it takes. [s]"""

    @property
    def cuda(self) -> bool:
        """Whether it is a GPU."""
        return bool(self.where.type == "cuda")

    @property
    def nodes(self) -> int:
        """Machines of the run."""
        return max(1, self.ranks // self.local_ranks)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The types of matrix products that it has, the most important first."""
        if not self.cuda:
            return ("bf16", "fp32")
        if self.capability < (8, 0):
            return ("fp16", "fp32")
        fp8 = ("fp8",) if self.capability >= (8, 9) else ()
        return ("bf16", "fp16", *fp8, "tf32", "fp32")

    def mark(self) -> Mark:
        """Mark this moment: on a GPU, when its stream comes to it."""
        if not self.cuda:
            return time.perf_counter()
        event = _event(enable_timing=True)
        event.record()
        return event

    def between_s(self, first: Mark, second: Mark) -> float:
        """Return the time between two marks that the device has passed [s]."""
        return float(first.elapsed_time(second)) / 1e3 if self.cuda else float(second - first)

    def wait_for(self, mark: Mark) -> None:
        """Wait until the device has passed a mark."""
        if self.cuda:
            mark.synchronize()

    def synchronize(self) -> None:
        """Wait until the device has done everything."""
        if self.cuda:
            torch.cuda.synchronize(self.where)

    def cover(self, enqueue_s: float) -> None:
        """Empty the L2 cache, and keep the device busy while the host enqueues the next run.

        Without it a kernel shorter than its launch is timed with the gaps in front of it.
        """
        if self.scratch is None:
            return
        wanted_s = min(COVER_MARGIN * enqueue_s, LONGEST_COVER_S)
        for _ in range(max(1, math.ceil(wanted_s / self.fill_s))):
            self.scratch.zero_()

    def normal(self, *sizes: int, dtype: Any) -> Any:
        """Return random numbers: multiplying zeros draws less power and is faster."""
        return torch.randn(*sizes, device=self.where, dtype=dtype)

    def crowded(self) -> str:
        """Say who else uses the device; empty is nobody."""
        own = torch.cuda.memory_reserved(self.where) if self.cuda else 0
        links = NCCL_BYTES if self.ranks > 1 else 0.0
        return self.busy or self.gauge.crowded(own + links)

    def release(self) -> None:
        """Give cached memory back to the device."""
        if self.cuda:
            torch.cuda.empty_cache()

    def agree(self, value: float) -> float:
        """Return the largest value that a rank has: what all of them must do alike depends on it.

        Not a number counts as infinite.
        """
        value = math.inf if math.isnan(value) else value
        if self.ranks == 1:
            return value
        largest = torch.tensor([value], device=self.where, dtype=torch.float64)
        dist.all_reduce(largest, op=dist.ReduceOp.MAX)
        return float(largest.item())

    def share(self, value: object) -> Any:
        """Return what rank 0 has."""
        if self.ranks == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.where)
        return box[0]
