"""The schedules by name. A new one is a function and a line here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.schedules.dual import dualpipe, dualpipe_v
from plan3d.simulator.schedules.looped import gpipe, interleaved, looped_bfs, one_f_one_b
from plan3d.simulator.schedules.program import Program
from plan3d.simulator.schedules.zero_bubble import zb_h1, zb_h2, zb_v

Builder: TypeAlias = Callable[[int, int, int], Program]
"""From ranks, micro-batches and chunks per rank to the operations in order."""

BUILDERS: Mapping[str, Builder] = MappingProxyType(
    {
        "gpipe": gpipe,
        "one_f_one_b": one_f_one_b,
        "interleaved": interleaved,
        "looped_bfs": looped_bfs,
        "zb_h1": zb_h1,
        "zb_h2": zb_h2,
        "zb_v": zb_v,
        "dualpipe": dualpipe,
        "dualpipe_v": dualpipe_v,
    }
)


def build(name: str, ranks: int, micro_batches: int, chunks: int = 1) -> Program:
    """Return the operations of a schedule in order.

    Parameters
    ----------
    name
        A name in `BUILDERS`.
    ranks, micro_batches, chunks
        All at least 1; a schedule can want more, and says so.
    """
    if name not in BUILDERS:
        raise unknown("schedule", name, BUILDERS)
    given = {"ranks": ranks, "micro-batches": micro_batches, "chunks per rank": chunks}
    for what, value in given.items():
        if value < 1:
            raise InputError(f"schedule {name}: {what} is {value}, but must be at least 1")
    return BUILDERS[name](ranks, micro_batches, chunks)
