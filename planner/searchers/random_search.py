"""Layouts at random, each once: what every other searcher has to beat."""

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.ledger import Ledger
from plan3d.planner.searchers.protocols import BlackBox, History
from plan3d.planner.searchers.study import Study


def random_search(
    grid: Grid, box: BlackBox, /, *, budget: int, seed: int, study: Study | None = None
) -> History:
    """Return the trials of layouts drawn evenly from those not tried yet."""
    ledger = Ledger(grid, box, name="random", budget=budget, seed=seed, study=study)
    while ledger.more():
        ledger.evaluate(ledger.untried())
    return ledger.history()
