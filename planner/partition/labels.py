r"""The inner problem: what the layers of one chunk recompute, exactly, for any memory budget.

.. math::
   \min_r \sum_l t_{l r_l} \quad \text{subject to} \quad
   \kappa \sum_l a_{l r_l} + \max_l \tau_{l r_l} \le M

with t the time, a what is kept for each of kappa micro-batches in flight, tau the working set.

A *label* is a pair (a, t) that no other choice of the same layers beats in both. Labels of n + 1
layers come from those of n by adding each option of one more layer and dropping what is beaten:

.. math:: \Lambda_{n+1} = \mathrm{Pareto}\{(a + a_{lr}, t + t_{lr}) : (a, t) \in \Lambda_n, r\}

The working set makes it one such family for each level v among the tau: only options with
:math:`\tau \le v`, and v is charged. Labels do not know kappa or M: one set serves all stages, by
a binary search per budget, and windows of the same kinds of layers share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plan3d.planner.partition.problem import Layers
from plan3d.simulator.numeric import Floats, Ints

Kinds = tuple[int, ...]
"""Kinds of the layers of a window, sorted: their order does not matter to its labels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """Best choices of a window at one level, by increasing memory."""

    kept_bytes: Floats
    """Per micro-batch in flight, increasing. Shape (labels,). [bytes]"""
    time_s: Floats
    """Decreasing, unless host memory is counted. Shape (labels,). [s]"""
    host_bytes: Floats
    """Per micro-batch in flight. Shape (labels,). [bytes]"""
    choice: NDArray[np.int8]
    """Option of each layer, in the order of its kinds. Shape (labels, n)."""


def layer_kinds(layers: Layers) -> tuple[Ints, Ints]:
    """Return the first layer of each kind, and the kind of each layer: alike but for states.

    Kinds are numbered as they appear, so that where all layers differ the labels of a window
    build on those of the window one layer shorter.
    """
    columns = (layers.time_s, layers.kept_bytes, layers.working_bytes, layers.host_bytes)
    _, first, kind = np.unique(
        np.concatenate(columns, axis=1), axis=0, return_index=True, return_inverse=True
    )
    order = np.argsort(first)
    return first[order], np.argsort(order)[np.asarray(kind).ravel()]


@dataclass(slots=True, kw_only=True)
class LabelBook:
    """Labels of windows, each set built once."""

    layers: Layers
    limit_s: float = np.inf
    """Labels slower than this are of no use. [s]"""
    limit_bytes: float = np.inf
    """Labels that keep more than this per micro-batch are of no use. [bytes]"""
    host: bool = False
    """Host memory is scarce, too: labels are triples."""
    _first: Ints = field(init=False)
    kind: Ints = field(init=False)
    _known: dict[tuple[Kinds, float], Labels] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._first, self.kind = layer_kinds(self.layers)

    def kinds(self, start: int, size: int) -> Kinds:
        """Return the kinds of the layers of a window."""
        return tuple(sorted(self.kind[start : start + size].tolist()))

    def levels(self, kinds: Kinds) -> Floats:
        """Return the working sets that the layers may have."""
        return np.unique(self.layers.working_bytes[self._first[list(set(kinds))]])

    def at(self, kinds: Kinds, level: float) -> Labels:
        """Return the labels of layers whose working sets stay within a level."""
        if not kinds:
            nothing = np.zeros(1)
            return Labels(
                kept_bytes=nothing, time_s=nothing, host_bytes=nothing,
                choice=np.zeros((1, 0), dtype=np.int8),
            )  # fmt: skip
        levels = self.levels(kinds)
        within = levels[levels <= level]
        key = (kinds, float(within[-1]) if len(within) else -1.0)
        if key not in self._known:
            self._known[key] = self._longer(self.at(kinds[:-1], level), kinds[-1], key[1])
        return self._known[key]

    def _longer(self, labels: Labels, kind: int, level: float) -> Labels:
        """Add one layer."""
        layers, row = self.layers, int(self._first[kind])
        options = np.flatnonzero(layers.working_bytes[row] <= level)

        def added(old: Floats, new: Floats) -> Floats:
            return (old[None, :] + new[options, None]).ravel()

        kept = added(labels.kept_bytes, layers.kept_bytes[row])
        time = added(labels.time_s, layers.time_s[row])
        host = added(labels.host_bytes, layers.host_bytes[row])
        rows = self._unbeaten(kept, time, host)
        came, option = rows % max(len(labels.time_s), 1), rows // max(len(labels.time_s), 1)
        choice = np.concatenate(
            [labels.choice[came], options[option, None].astype(np.int8)], axis=1
        )
        return Labels(
            kept_bytes=kept[rows], time_s=time[rows], host_bytes=host[rows], choice=choice
        )

    def _unbeaten(self, kept: Floats, time: Floats, host: Floats) -> Ints:
        """Return the rows that no other beats, by increasing memory."""
        order = np.lexsort((host, time, kept))
        order = order[(time[order] <= self.limit_s) & (kept[order] <= self.limit_bytes)]
        if not self.host:
            before = np.minimum.accumulate(np.concatenate([[np.inf], time[order]]))[:-1]
            return order[time[order] < before]
        staying: list[int] = []
        for row in order.tolist():  # few: host memory is coupled for few kinds of layers only
            if not np.any((time[staying] <= time[row]) & (host[staying] <= host[row])):
                staying.append(row)
        return np.asarray(staying, dtype=np.int64)

    def fastest(self, kinds: Kinds, room: Floats, flying: Floats, loss: Floats) -> Floats:
        """Return the shortest time of the layers for each budget, infinite where none fits [s].

        Parameters
        ----------
        kinds
            Kinds of the layers.
        room
            Memory for activations. Shape (n,). [bytes]
        flying
            Micro-batches in flight. Shape (n,).
        loss
            What is alive in the loss, if that is more than a working set. Shape (n,). [bytes]
        """
        best = np.full(len(room), np.inf)
        for level in self.levels(kinds):
            labels = self.at(kinds, float(level))
            kept = (room - np.maximum(level, loss)) / flying
            i = np.searchsorted(labels.kept_bytes, kept, side="right")
            time = np.concatenate([[np.inf], labels.time_s])[i]
            best = np.minimum(best, time)
        return best

    def choose(
        self, start: int, size: int, room: float, flying: float, loss: float
    ) -> Sequence[int]:
        """Return the options of a window's layers that are fastest within a budget."""
        kinds = self.kinds(start, size)
        found: tuple[float, Sequence[int]] = (np.inf, ())
        for level in self.levels(kinds):
            labels = self.at(kinds, float(level))
            kept = (room - max(level, loss)) / flying
            i = int(np.searchsorted(labels.kept_bytes, kept, side="right")) - 1
            if i >= 0 and labels.time_s[i] < found[0]:
                found = float(labels.time_s[i]), self.in_place(start, size, labels.choice[i])
        return found[1]

    def in_place(self, start: int, size: int, choice: NDArray[np.int8]) -> list[int]:
        """Return a label's options in the order of the layers of a window."""
        placed = np.zeros(size, dtype=np.int8)
        placed[np.argsort(self.kind[start : start + size], kind="stable")] = choice
        return [int(option) for option in placed]
