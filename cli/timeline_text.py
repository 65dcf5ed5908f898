"""A pipeline as rows of characters: the picture of docs/schedules.md."""

from collections.abc import Iterator
from math import ceil

import numpy as np

from plan3d.simulator.schedules.program import Kind, Program
from plan3d.simulator.timeline import Timeline

LEGEND = (
    "digit: forward pass, letter: backward pass (small for the input, capital for the weights), "
    "by the last digit of the micro-batch (a is 0); dot: idle"
)
MARKS = {
    Kind.FORWARD: "0123456789",
    Kind.BACKWARD_INPUT: "abcdefghij",
    Kind.BACKWARD_WEIGHT: "ABCDEFGHIJ",
}

Piece = tuple[float, float, str]
"""From, until, and the character."""


def picture(line: Timeline, columns: int) -> tuple[str, ...]:
    """Return a row per rank, or nothing where the shortest operation would not be seen.

    The width is the least with which each operation takes a character.
    """
    ranks = [_pieces(line, rank) for rank in range(line.program.ranks)]
    shortest = min(until - start for pieces in ranks for start, until, _ in pieces)
    head = len(f"rank {line.program.ranks - 1}  ")
    makespan = float(line.makespan_s)
    if makespan > (columns - head) * shortest:
        return ()
    across = ceil(makespan / shortest)
    times = (np.arange(across) + 0.5) * makespan / across
    return tuple(
        f"rank {rank}".ljust(head) + _row(pieces, times.tolist())
        for rank, pieces in enumerate(ranks)
    )


def _pieces(line: Timeline, rank: int) -> list[Piece]:
    """Return what a rank does that takes time. What runs as one is shown one after the other."""
    program, found = line.program, []
    for i in range(program.first[rank], program.first[rank + 1]):
        if i and program.overlaps[i - 1]:
            continue
        marks = [
            mark for j in range(i, i + 1 + int(program.overlaps[i])) for mark in _marks(program, j)
        ]
        edges = np.linspace(line.start_s[i], line.end_s[i], len(marks) + 1).tolist()
        found += list(zip(edges, edges[1:], marks, strict=False))
    return [piece for piece in found if piece[1] > piece[0]]


def _marks(program: Program, operation: int) -> Iterator[str]:
    """Yield the characters of an operation: a whole backward pass has both halves."""
    kind, number = Kind(program.kind[operation]), program.micro_batch[operation] % 10
    halves = (Kind.BACKWARD_INPUT, Kind.BACKWARD_WEIGHT)
    yield from (MARKS[k][number] for k in (halves if kind == Kind.BACKWARD else (kind,)))


def _row(pieces: list[Piece], times: list[float]) -> str:
    """Return what runs at each time."""
    starts = [start for start, _, _ in pieces]
    places = (np.searchsorted(starts, times, side="right") - 1).tolist()
    return "".join(
        pieces[place][2] if place >= 0 and time < pieces[place][1] else "."
        for place, time in zip(places, times, strict=True)
    )
