"""A process that works on a study: ``python -m tests.planner.searchers.worker STORAGE ...``."""

import sys
import time
from pathlib import Path

from plan3d.planner.searchers.boxes import closed_form
from plan3d.planner.searchers.protocols import Trial
from plan3d.planner.searchers.study import opened
from plan3d.planner.searchers.table import SEARCHERS
from plan3d.simulator.layout import Layout
from tests.planner.searchers.spaces import JOB, small


def work(storage: str, log: Path, searcher: str, budget: int, seed: int, pause_s: float) -> None:
    """Search, and write every start and end of a trial to a file."""
    plain = closed_form(JOB)

    def note(word: str, layout: Layout) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{word} {layout}\n")

    def box(layout: Layout, /) -> Trial:
        note("begin", layout)
        time.sleep(pause_s)
        found = plain(layout)
        note("end", layout)
        return found

    study = opened(small(), storage)
    log.touch()
    SEARCHERS[searcher](small(), box, budget=budget, seed=seed, study=study)


if __name__ == "__main__":
    where, log, name, budget, seed, pause_s = sys.argv[1:]
    work(where, Path(log), name, int(budget), int(seed), float(pause_s))
