"""What is known of a published run beyond the file that has it."""

from dataclasses import fields, replace
from typing import Final

from plan3d.planner.validation.runs import Run, Runs, published_runs

BESIDE: Final = (
    "ref",
    "notes",
    "version",
    "allreduce_gb_s",
    "allgather_gb_s",
    "node_allreduce_gb_s",
)
"""Fields that say where a run and its surroundings are from, and nothing of its layout or time."""


def known(found: Runs) -> tuple[Runs, int]:
    """Return runs with what the runs that ship know of them, and for how many that is.

    A run that is the same as one that ships in its id, its job, its layout and all that was
    measured, and says nothing of its software's state and its network, is taken for that one.
    """
    shipped = {_same(run): run for run in published_runs().rows if _tells(run)}
    rows = [run if _tells(run) else shipped.get(_same(run), run) for run in found.rows]
    count = sum(new is not old for new, old in zip(rows, found.rows, strict=True))
    return replace(found, rows=tuple(rows)), count


def _tells(run: Run) -> bool:
    """Whether a run says anything of its surroundings that not every runs file has."""
    measured = (run.allreduce_gb_s, run.node_allreduce_gb_s)
    return bool(run.version) or measured != (None, None)


def _same(run: Run) -> tuple[object, ...]:
    return tuple(getattr(run, f.name) for f in fields(run) if f.name not in BESIDE)
