"""Layouts at random, each once: what every other searcher has to beat."""

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.ledger import Ledger
from plan3d.planner.searchers.protocols import BlackBox, History


def random_search(grid: Grid, box: BlackBox, /, *, budget: int, seed: int) -> History:
    """Return the trials of layouts drawn evenly from those not tried yet."""
    ledger = Ledger(grid, box, name="random", budget=budget, seed=seed)
    while ledger.open:
        ledger.evaluate(ledger.untried())
    return ledger.history()
