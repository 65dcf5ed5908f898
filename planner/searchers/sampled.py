"""Ask a sampler of Optuna for a point, tell it the log time: what all its samplers share.

The sampler's own study is in memory, and learns what the ledger knows: what earlier calls and other
workers tried, and, as trials that are running, what others are trying.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from plan3d.planner.searchers.ledger import Ledger
from plan3d.planner.searchers.outer import Outer
from plan3d.planner.searchers.protocols import History, Trial

if TYPE_CHECKING:
    import optuna

STALE: Final = 10
"""Proposals in a row that are known already, after which an untried layout is drawn. [1]"""
MOST_GIB: Final = 1e6
"""Stands for an unknown number of bytes over. [GiB]"""


def log_time(ledger: Ledger, found: Trial) -> tuple[float]:
    """Return the one thing to have little of [log s]."""
    return (ledger.loss(found),)


def sampled(
    ledger: Ledger,
    outer: Outer,
    sampler: "optuna.samplers.BaseSampler",
    *,
    first: int = 0,
    losses: Callable[[Ledger, Trial], Sequence[float]] = log_time,
    constrained: bool = True,
) -> History:
    """Return the trials of a sampler.

    Parameters
    ----------
    ledger
        Tries and remembers.
    outer
        What the sampler's parameters stand for.
    sampler
        Proposes them.
    first
        Layouts that the closed form says are fastest, tried before anything is proposed. [1]
    losses
        What the sampler is told of a trial, all to be made small.
    constrained
        Whether the sampler heeds the memory as a constraint.
    """
    mind = _Mind(ledger, outer, sampler, losses, constrained=constrained)
    ahead = ledger.grid.foreseen(first).tolist() if first else []
    repeats = 0
    while ledger.more():
        mind.learn()
        ahead = [row for row in ahead if row not in ledger.taken]
        if ahead:
            ledger.evaluate(ahead[0])
        elif repeats >= STALE or not outer.axes:
            ledger.evaluate(_fresh(ledger, outer))
            repeats = STALE - 1  # one more proposal that is known, and it is drawn again
        else:
            repeats = 0 if mind.proposes() else repeats + 1
    return ledger.history()


def _fresh(ledger: Ledger, outer: Outer) -> int:
    """Return a random row that nobody tried; its best inner choice, if nobody tried that."""
    row = ledger.untried()
    best = outer.row(outer.params(row), ledger.tried)
    return row if best in ledger.taken else best


class _Mind:
    """The sampler, and which rows it has heard of."""

    def __init__(
        self,
        ledger: Ledger,
        outer: Outer,
        sampler: "optuna.samplers.BaseSampler",
        losses: Callable[[Ledger, Trial], Sequence[float]],
        *,
        constrained: bool,
    ) -> None:
        import optuna  # noqa: PLC0415  (heavy)

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.ledger, self.outer = ledger, outer
        self.losses, self.constrained = losses, constrained
        sample = losses(ledger, Trial(layout=ledger.grid.table.row(0)))
        self.study = optuna.create_study(sampler=sampler, directions=["minimize"] * len(sample))
        self.space = outer.space()
        self.heard: set[int] = set()
        self.running: dict[int, int] = {}

    def learn(self) -> None:
        """Tell the sampler what it did not propose itself."""
        from optuna.trial import TrialState  # noqa: PLC0415  (heavy)

        for row in sorted(self.ledger.busy - self.running.keys() - self.heard):
            self.running[row] = len(self.study.get_trials(deepcopy=False))
            self._add(row, None)
        for row, trial in self.ledger.tried.items():
            if row not in self.heard:
                self.heard.add(row)
                if row in self.running:
                    self.study.tell(self.running.pop(row), state=TrialState.FAIL)
                if self.outer.row(self.outer.params(row), {}) == row:
                    self._add(row, trial)

    def proposes(self) -> bool:
        """Ask for a point and try it; return whether that was new."""
        with np.errstate(invalid="ignore"):  # the Gaussian process, where all losses are equal
            trial = self.study.ask(self.space)
        row = self.outer.row(trial.params, self.ledger.tried)
        new = row not in self.ledger.taken
        found = self.ledger.evaluate(row)
        self.heard |= {row} & self.ledger.tried.keys()
        for name, over in self._constraints(found).items():
            trial.set_constraint(name, over)
        self.study.tell(trial, self.losses(self.ledger, found))
        return new

    def _add(self, row: int, found: Trial | None) -> None:
        """Add a trial that is not the sampler's own: finished, or running where None."""
        from optuna.trial import TrialState, create_trial  # noqa: PLC0415  (heavy)

        self.study.add_trial(
            create_trial(
                state=TrialState.RUNNING if found is None else TrialState.COMPLETE,
                values=None if found is None else self.losses(self.ledger, found),
                params=self.outer.params(row),
                distributions=self.space,
                constraints=None if found is None else self._constraints(found),
            )
        )

    def _constraints(self, found: Trial) -> dict[str, float]:
        """Return what must not be above 0: the memory that is missing [GiB]."""
        return {"memory": min(found.over_bytes / 2**30, MOST_GIB)} if self.constrained else {}
