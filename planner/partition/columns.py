"""Columns of the integer program: a window of layers on a chunk, with what its layers do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from plan3d.planner.partition.bounds import Bounds
from plan3d.planner.partition.labels import LabelBook, layer_kinds
from plan3d.planner.partition.problem import Problem
from plan3d.planner.partition.windows import (
    Setting,
    chosen,
    outside_s,
    reachable,
    room_bytes,
    setting_costs,
    setting_times,
    window_sums,
)
from plan3d.simulator.numeric import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Columns of shape (c,), and how to read the options of one."""

    chunk: Ints
    start: Ints
    size: Ints
    time_s: Floats
    held_bytes: Floats
    """States, and activations of the micro-batches in flight. [bytes]"""
    working_bytes: Floats
    host_bytes: Floats
    """Host memory for the micro-batches in flight. [bytes]"""
    rule: Ints
    """Number of the setting, where there is one."""
    choice: tuple[tuple[int, ...], ...] | None = None
    """Options of the layers, where they are known before the sizes are."""

    def __len__(self) -> int:
        return len(self.chunk)

    def take(self, rows: Ints | Bools) -> "Columns":
        """Return some columns."""
        numbers = np.arange(len(self))[rows]
        columns = {f.name: getattr(self, f.name)[rows] for f in fields(self)[:-1]}
        if self.choice is None:
            return Columns(**columns)
        return Columns(**columns, choice=tuple(self.choice[i] for i in numbers))

    @classmethod
    def joined(cls, parts: Iterable["Columns"]) -> "Columns":
        """Put columns one below the other; all of them know their choice."""
        many = list(parts)
        columns = {
            f.name: np.concatenate([getattr(part, f.name) for part in many])
            for f in fields(cls)[:-1]
        }
        return cls(**columns, choice=tuple(c for part in many for c in part.choice or ()))


Keep = Callable[[Ints, Ints, Ints, Floats], Bools]
"""Which columns (chunk, start, size, time) can be in a better answer than the best known."""


def keep_within(problem: Problem, low: Floats, within_s: float) -> Keep:
    """Return the test that leaves columns out (`Bounds.keeps`)."""
    bounds = Bounds.of(problem, low, anywhere=same_everywhere(problem))
    return lambda chunk, start, size, time_s: bounds.keeps(chunk, start, size, time_s, within_s)


def same_everywhere(problem: Problem) -> bool:
    """Return whether a window costs the same wherever it starts: one kind of layer."""
    state, cuts = problem.layers.state_bytes, problem.cut_s[1:-1]
    alike = len(layer_kinds(problem.layers)[0]) == 1
    return alike and bool(np.all(state == state[0]) and np.all(cuts == cuts[:1]))


def representative(problem: Problem, longest: int) -> Bools:
    """Return one window of each chunk and size, where all others cost the same (k, l, n + 1)."""
    may = reachable(problem, longest)
    first = np.argmax(may, axis=1, keepdims=True)
    return np.asarray(may & (np.arange(may.shape[1])[:, None] == first))


def exact_columns(problem: Problem, times: Floats, windows: Bools, keep: Keep) -> Columns:
    """Return the columns of a table of times: each with the fastest options that fit."""
    if same_everywhere(problem):  # what was pruned at one start is known from another
        times = times.min(axis=1, keepdims=True)
    return _kept(problem, np.where(windows, times, np.inf), keep)


def setting_columns(
    problem: Problem, rules: tuple[Setting, ...], longest: int, windows: Bools, keep: Keep
) -> Columns:
    """Return the columns of every setting."""
    parts = []
    for number, rule in enumerate(rules):
        times = np.where(windows, setting_times(problem, rule, longest), np.inf)
        part = _kept(problem, times, keep)
        where, flying = (part.start, part.size), problem.devices.in_flight[_device(problem, part)]
        kept, working = (table[where] for table in setting_costs(problem, rule, longest)[1:])
        choice = tuple(tuple(chosen(rule, size)) for size in part.size.tolist())
        host = [
            problem.layers.host_bytes[start + np.arange(len(c)), c].sum()
            for start, c in zip(part.start, choice, strict=True)
        ]
        parts.append(
            replace(
                part, held_bytes=part.held_bytes + flying * kept, working_bytes=working,
                host_bytes=flying * np.array(host), rule=np.full(len(part), number), choice=choice,
            )
        )  # fmt: skip
    return Columns.joined(parts)


def label_columns(problem: Problem, low: Floats, windows: Bools, keep: Keep) -> Columns:
    """Return a column for every label of every window (`labels`)."""
    longest = low.shape[2] - 1
    part = _kept(problem, np.where(windows, low, np.inf), keep)
    book = LabelBook(layers=problem.layers, host=problem.host is not None)
    beside, room = outside_s(problem, longest), room_bytes(problem, longest)
    flying = problem.devices.in_flight[_device(problem, part)]
    loss = problem.devices.loss_bytes[_device(problem, part)]
    parts = []
    for i in range(len(part)):
        start, size = int(part.start[i]), int(part.size[i])
        cell = int(part.chunk[i]), start, size
        kinds = book.kinds(start, size)
        for level in book.levels(kinds):
            labels = book.at(kinds, float(level))
            held = flying[i] * labels.kept_bytes
            fits = np.flatnonzero(held + max(level, loss[i]) <= room[cell])
            one = part.take(np.full(len(fits), i))
            parts.append(
                replace(
                    one, time_s=beside[cell] + labels.time_s[fits],
                    held_bytes=one.held_bytes + held[fits],
                    working_bytes=np.full(len(fits), level),
                    host_bytes=flying[i] * labels.host_bytes[fits],
                    choice=tuple(
                        tuple(book.in_place(start, size, labels.choice[k])) for k in fits
                    ),
                )
            )  # fmt: skip
    columns = Columns.joined([part.take(np.arange(0)), *parts])
    return columns.take(keep(columns.chunk, columns.start, columns.size, columns.time_s))


def _kept(problem: Problem, times: Floats, keep: Keep) -> Columns:
    """Return the finite entries of a table that can be of use; they hold their states."""
    longest = times.shape[2] - 1
    chunk, start, size = np.nonzero(np.isfinite(times))
    time = times[chunk, start, size]
    rows = keep(chunk, start, size, time)
    chunk, start, size, time = chunk[rows], start[rows], size[rows], time[rows]
    return Columns(
        chunk=chunk, start=start, size=size, time_s=time,
        held_bytes=window_sums(problem.layers.state_bytes, longest)[start, size],
        working_bytes=np.zeros(len(time)), host_bytes=np.zeros(len(time)),
        rule=np.zeros(len(time), dtype=np.int64),
    )  # fmt: skip


def _device(problem: Problem, columns: Columns) -> NDArray[np.int64]:
    return problem.device_of[columns.chunk]
