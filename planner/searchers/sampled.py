"""Ask a sampler of Optuna for a point, tell it the log time: what all its samplers share.

The sampler's own study is in memory, and learns what the ledger knows: what earlier calls and other
workers tried, and, as trials that are running, what others are trying.
"""

from typing import TYPE_CHECKING, Final

from plan3d.planner.searchers.ledger import Ledger
from plan3d.planner.searchers.outer import Outer
from plan3d.planner.searchers.protocols import History, Trial

if TYPE_CHECKING:
    import optuna

STALE: Final = 10
"""Proposals in a row that are known already, after which an untried layout is drawn. [1]"""
MOST_GIB: Final = 1e6
"""Stands for an unknown number of bytes over. [GiB]"""


def sampled(
    ledger: Ledger, outer: Outer, sampler: "optuna.samplers.BaseSampler", first: int
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
    """
    mind = _Mind(ledger, outer, sampler)
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
        self, ledger: Ledger, outer: Outer, sampler: "optuna.samplers.BaseSampler"
    ) -> None:
        import optuna  # noqa: PLC0415  (heavy)

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.ledger, self.outer = ledger, outer
        self.study = optuna.create_study(sampler=sampler)
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
        trial = self.study.ask(self.space)
        row = self.outer.row(trial.params, self.ledger.tried)
        new = row not in self.ledger.taken
        found = self.ledger.evaluate(row)
        self.heard |= {row} & self.ledger.tried.keys()
        trial.set_constraint("memory", over_gib(found))
        self.study.tell(trial, self.ledger.loss(found))
        return new

    def _add(self, row: int, found: Trial | None) -> None:
        """Add a trial that is not the sampler's own: finished, or running where None."""
        from optuna.trial import TrialState, create_trial  # noqa: PLC0415  (heavy)

        self.study.add_trial(
            create_trial(
                state=TrialState.RUNNING if found is None else TrialState.COMPLETE,
                value=None if found is None else self.ledger.loss(found),
                params=self.outer.params(row),
                distributions=self.space,
                constraints=None if found is None else {"memory": over_gib(found)},
            )
        )


def over_gib(found: Trial) -> float:
    """Return by how much a layout is over the memory, 0 where it is not [GiB]."""
    return min(found.over_bytes / 2**30, MOST_GIB)
