"""What jobs recorded of themselves, where more was published than a table of results.

`recorded.csv` has it by the id of the run. It is kept apart, and no score uses it unless it says
so: the rules go by framework, year and cluster, which is all that most runs, and every plan, know.
"""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from plan3d.planner.validation.runs import Runs, published_runs

RECORDED: Final = Path(__file__).with_name("recorded.csv")
FIGURES: Final = ("allreduce_gb_s", "allgather_gb_s", "node_allreduce_gb_s")


def with_records(runs: Runs) -> Runs:
    """Return runs with what their jobs recorded; those that are not published ones as they are."""
    with RECORDED.open(encoding="utf-8", newline="") as file:
        records = {row["id"]: row for row in csv.DictReader(file)}
    published = {run.id: run for run in published_runs().rows if run.id in records}
    rows = tuple(
        replace(run, **_facts(records[run.id])) if published.get(run.id) == run else run
        for run in runs.rows
    )
    return replace(runs, rows=rows)


def recorded_runs() -> Runs:
    """Return the runs that ship with plan3d, with what their jobs recorded."""
    return with_records(published_runs())


def _facts(row: dict[str, str]) -> dict[str, Any]:
    """Return the fields of a run that a record gives."""
    figures = {name: float(row[name]) if row[name] else None for name in FIGURES}
    return {"version": row["version"], **figures}
