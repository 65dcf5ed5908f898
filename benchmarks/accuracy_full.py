"""Runs whose memory was nearly full, and how many of them were slow: a table of docs/accuracy.md.

Run as ``python benchmarks/accuracy_full.py``, on the runs that ship, each predicted with what its
job recorded; it names the fullest, too.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from accuracy_table import table

from plan3d.cli.commands.validate_command import Shipped
from plan3d.planner.validation import Prediction, validate
from plan3d.planner.validation.recorded import recorded_runs

EDGES: Final = (0.0, 0.7, 0.85, 0.9, 0.93, np.inf)
"""Shares of the memory that rows of the table begin with. [1]"""
SLOWER: Final = 1.2
"""Measured over predicted, of a run that counts as slow. [1]"""
HEAD: Final = (
    "of the memory", "reserved, measured: `ultra`", "slow", "needed, predicted: others", "slow",
)  # fmt: skip


def full(predictions: Sequence[Prediction]) -> Iterator[str]:
    """Yield the table: how many runs, and how many of them were slow, by how full they were.

    Full with what is reserved, where a figure of it is published of a whole sweep; else with what
    is needed at the peak, as predicted: margins are left out.
    """
    timed = [p for p in predictions if p.measured_s]
    ours = [(_measured(p), p) for p in timed if p.run.suite == "ultra"]
    others = [(_needed(p), p) for p in timed if p.run.suite != "ultra"]
    body = []
    for low, high in pairwise(EDGES):
        cells = []
        for rows in (ours, others):
            inside = [p for share, p in rows if low <= share < high]
            cells += [str(len(inside)), str(sum(_ratio(p) > SLOWER for p in inside))]
        end = f"to {100 * high:.0f} %" if np.isfinite(high) else "and more"
        body.append((f"{100 * low:.0f} % {end}", *cells))
    yield from table(HEAD, body)


def _measured(p: Prediction) -> float:
    return (p.measured_bytes or 0.0) / p.estimate.capacity_bytes


def _needed(p: Prediction) -> float:
    memory = p.estimate.memory
    return (memory.total_bytes - memory.margin_bytes) / p.estimate.capacity_bytes


def _ratio(p: Prediction) -> float:
    """Return measured over predicted time [1]."""
    return (p.measured_s or 0.0) / p.predicted_s


def main() -> None:
    """Print the table, and the fullest runs."""
    predictions = validate(recorded_runs(), Shipped()).predictions
    print("\n".join(full(predictions)))
    for p in sorted(predictions, key=_needed):
        if p.measured_s and max(_needed(p), _measured(p)) >= EDGES[-2]:
            print(f"{p.run.id:16s} {_needed(p):5.2f} {_measured(p):5.2f} {_ratio(p):5.2f} x")


if __name__ == "__main__":
    main()
