"""What a searcher is, what it asks, and what it returns."""

from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import TYPE_CHECKING, Protocol

from plan3d.simulator.layout import Layout

if TYPE_CHECKING:
    from plan3d.planner.searchers.grid import Grid
    from plan3d.planner.searchers.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of one layout."""

    layout: Layout
    time_s: float = nan
    """Step time; not a number where it ran out of memory or failed. [s]"""
    over_bytes: float = 0.0
    """Above 0: it ran out of memory, by so much (infinity: by how much is not known). [bytes]"""
    memory_bytes: float = nan
    """Peak of the fullest GPU, where that is known. [bytes]"""
    message: str = ""
    """Why it failed."""

    @property
    def ok(self) -> bool:
        """Whether there is a time to compare: positive, finite, and within memory."""
        return isfinite(self.time_s) and self.time_s > 0 and self.over_bytes <= 0

    @property
    def out_of_memory(self) -> bool:
        """Whether it ran out of memory."""
        return self.over_bytes > 0


class StopSearchError(Exception):
    """A black box raises it to end the search: no further trial would tell anything."""


class BlackBox(Protocol):
    """Tries one layout, at a cost.

    What it raises counts as a failed trial; a `StopSearchError` ends the search as well.
    """

    def __call__(self, layout: Layout, /) -> Trial:
        """Return what became of the layout."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that was tried, in order: each layout once, those of the study's other workers, too."""

    searcher: str
    seed: int
    budget: int
    trials: tuple[Trial, ...]
    stopped: str
    """Why: ``"budget"``, ``"exhausted"``, all layouts tried, or what a black box said."""

    @property
    def evaluations(self) -> int:
        """Calls of the black box: a layout proposed again is not evaluated again."""
        return len(self.trials)

    @property
    def best(self) -> Trial | None:
        """The fastest that ran, the first of equals; None where nothing did."""
        return min((t for t in self.trials if t.ok), key=lambda t: t.time_s, default=None)

    def best_so_far_s(self) -> list[float]:
        """Return the shortest time after each trial; infinity before any ran [s]."""
        least, found = inf, []
        for trial in self.trials:
            least = min(least, trial.time_s) if trial.ok else least
            found.append(least)
        return found

    def trials_to(self, time_s: float) -> int | None:
        """Return after how many trials a step of at most `time_s` was found; None if never."""
        reached = (i for i, t in enumerate(self.best_so_far_s(), start=1) if t <= time_s)
        return next(reached, None)


class Searcher(Protocol):
    """Finds a fast layout of a grid with few trials."""

    def __call__(
        self, grid: "Grid", box: BlackBox, /, *, budget: int, seed: int,
        study: "Study | None" = None,
    ) -> History:  # fmt: skip
        """Return what was tried: at most `budget` trials, the same for the same seed.

        Parameters
        ----------
        grid
            The layouts.
        box
            Tries one.
        budget
            The most trials; those that a study has already count.
        seed
            Of what is drawn at random.
        study
            Remembers the trials beyond this call, and shares them with other workers; without it
            they are in memory.

        Raises
        ------
        InputError
            If budget or seed is out of range, or the study's storage cannot be used.
        """
        ...
