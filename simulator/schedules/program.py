"""What the ranks of a pipeline run: operations in order, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from plan3d.simulator.numeric import Bools, Ints


class Kind(IntEnum):
    """What an operation computes, for one micro-batch and one virtual stage."""

    FORWARD = 0
    BACKWARD = 1
    """Gradients of the input and of the weights."""
    BACKWARD_INPUT = 2
    BACKWARD_WEIGHT = 3


LETTERS = "FBIW"
"""The kinds as people write them; I and W are the two halves of B."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Program:
    """The operations of every rank, one rank after the other.

    A micro-batch passes `depth` virtual stages, s = 0, 1, ... There can be two chains of them, for
    two directions: the second has the numbers `depth` + s, and its own micro-batches.
    """

    micro_batches: int
    depth: int
    holder: Ints
    """The rank of each virtual stage, shape (stages,)."""
    first: Ints
    """Rank r runs the operations from first[r] to first[r + 1]; shape (ranks + 1,)."""
    kind: Ints
    """A `Kind` per operation, shape (operations,); so are the rest."""
    stage: Ints
    micro_batch: Ints
    overlaps: Bools
    """Runs together with the next operation: they start and end as one."""

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def ranks(self) -> int:
        """Ranks of the pipeline."""
        return len(self.first) - 1

    def name(self, operation: int) -> str:
        """Return how people write an operation: virtual stage, kind, micro-batch."""
        letter = LETTERS[self.kind[operation]]
        return f"{self.stage[operation]}{letter}{self.micro_batch[operation]}"

    def text(self, rank: int) -> str:
        """Return a rank's operations in order; & joins two that overlap."""
        here = range(self.first[rank], self.first[rank + 1])
        return "".join(self.name(i) + (" ", "&")[int(self.overlaps[i])] for i in here).rstrip()


def slot(kind: Kind, chunk: int = 0, *, overlaps: bool = False) -> int:
    """Return an operation before its micro-batch is known: a slot in the order of a rank."""
    return chunk * 8 + overlaps * 4 + kind


OLDEST_WEIGHT = slot(Kind.BACKWARD_WEIGHT, -1)
"""The weight gradients that have waited longest, whatever their chunk."""


def assemble(
    slots: Sequence[Sequence[int] | Ints],
    chunks: Ints,
    depth: int,
    micro_batches: int,
    *,
    last_first: bool = False,
) -> Program:
    """Return a program: in every rank, each chunk takes its micro-batches in order.

    Slots of a micro-batch past the last are left out.

    Parameters
    ----------
    slots
        Per rank, the slots in order.
    chunks
        The virtual stage of each rank's chunks, shape (ranks, chunks).
    depth
        Virtual stages that a micro-batch passes.
    micro_batches
        Micro-batches that each virtual stage sees.
    last_first
        Backward passes take the last micro-batch first.
    """
    code = np.concatenate([np.asarray(each, dtype=np.int64) for each in slots])
    rank = np.repeat(np.arange(len(slots)), [len(each) for each in slots])
    kind, chunk = code & 3, code >> 3
    phase = np.array([0, 1, 1, 2])[kind]
    number = _count((rank * (chunks.shape[1] + 1) + chunk) * 3 + phase)
    if last_first:
        number = np.where(phase > 0, micro_batches - 1 - number, number)
    late, early = np.flatnonzero(code == OLDEST_WEIGHT), np.flatnonzero(kind == Kind.BACKWARD_INPUT)
    if len(late):
        chunk[late], number[late] = chunk[early], number[early]
    kept = np.flatnonzero(number < micro_batches)
    holder = np.empty(chunks.size, dtype=np.int64)
    holder[chunks] = np.arange(len(slots))[:, None]
    return Program(
        micro_batches=micro_batches,
        depth=depth,
        holder=holder,
        first=np.searchsorted(rank[kept], np.arange(len(slots) + 1)),
        kind=kind[kept],
        stage=chunks[rank, chunk][kept],
        micro_batch=number[kept],
        overlaps=(code & 4 > 0)[kept],
    )


def _count(keys: Ints) -> Ints:
    """Return how often each key has come before."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    before = np.searchsorted(ranked, ranked)
    count = np.empty(len(keys), dtype=np.int64)
    count[order] = np.arange(len(keys)) - before
    return count
