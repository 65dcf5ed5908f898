"""Tune a job: propose layouts, run them with the user's command, learn, propose again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Final

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.protocols import History, StopSearchError, Trial
from plan3d.planner.searchers.residual import Residual
from plan3d.planner.tuning.launch import Launcher, Outcome
from plan3d.planner.tuning.reading import OUT_OF_MEMORY, Reader
from plan3d.planner.tuning.record import Attempt, Record, Status
from plan3d.planner.tuning.template import Template
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout

PATIENCE: Final = 3
"""Attempts in a row that fail before any has worked: then it is the command. [1]"""
COUNTED: Final = (Status.OK, Status.OUT_OF_MEMORY, Status.FAILED, Status.TIMED_OUT)
"""What an earlier call's attempt must have come to, not to be tried again: what could not be read
may be readable with another pattern."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What tuning found."""

    history: History
    attempts: tuple[Attempt, ...]
    """All of the record, in order."""

    @property
    def best(self) -> Attempt | None:
        """The fastest that ran; None where nothing did."""
        ran = [a for a in self.attempts if a.status is Status.OK]
        return min(ran, key=lambda a: a.time_s, default=None)


def tune(
    grid: Grid,
    template: Template,
    launcher: Launcher,
    reader: Reader,
    record: Record,
    *,
    first: Sequence[Layout],
    trials: int,
    seed: int,
    told: Callable[[Attempt], None] = lambda attempt: None,  # noqa: ARG005
) -> Tuned:
    """Try layouts until there are so many trials, those of the record included.

    Parameters
    ----------
    grid
        The legal layouts, with predictions.
    first
        Layouts to try before anything is learnt, the best plans of a search.
    trials
        How many layouts are tried in all. [1]
    told
        Called after each attempt.

    Raises
    ------
    InputError
        If nothing works: the first attempts all fail, each for a reason other than memory. What
        they came to is in the record all the same.
    """
    launcher.refuse_leftover()
    known = [
        attempt
        for attempt in record.attempts
        if attempt.status in COUNTED and grid.find(attempt.layout) is not None
    ]
    box = _Box(grid, template, launcher, reader, record, told)
    searcher = Residual(warm=tuple(first), known=tuple(a.trial for a in known))
    history = searcher(grid, box, budget=trials, seed=seed)
    if box.refusal:
        raise InputError(box.refusal)
    return Tuned(history=history, attempts=tuple(record.attempts))


class _Box:
    """The user's command as a black box that writes everything down."""

    def __init__(
        self, grid: Grid, template: Template, launcher: Launcher, reader: Reader, record: Record,
        told: Callable[[Attempt], None],
    ) -> None:  # fmt: skip
        self.grid, self.template, self.launcher, self.reader = grid, template, launcher, reader
        self.record, self.told = record, told
        self.refusal = ""
        self._vain = 0

    def __call__(self, layout: Layout, /) -> Trial:
        """Run one layout."""
        words = self.template.filled(layout)
        log = self.launcher.log(len(self.record.attempts) + 1)
        try:
            outcome = self.launcher.run(words, log)
        except OSError as error:  # not a program, no room for the log
            raise StopSearchError(self._refuse(f"{words[0]}: {error.strerror}")) from None
        attempt = self._attempt(layout, words, log, outcome)
        self.record.add(attempt)
        self.told(attempt)
        self._give_up_in_vain(attempt, log)
        return attempt.trial

    def _attempt(
        self, layout: Layout, words: tuple[str, ...], log: Path, outcome: Outcome
    ) -> Attempt:
        """Return what a run of the command came to."""
        with log.open(encoding="utf-8", errors="replace") as lines:
            steps_s = self.reader.steps_s(lines)
        status, message = judged(outcome, bool(steps_s), tail(log), self.launcher.timeout_s)
        ok = status is Status.OK
        return Attempt(
            layout=layout,
            status=status,
            time_s=self.reader.step_time_s(steps_s if ok else ()),
            steps_s=steps_s,
            predicted_s=self._predicted_s(layout),
            message=message,
            wall_s=outcome.wall_s,
            words=words,
            log=str(log),
        )

    def _predicted_s(self, layout: Layout) -> float:
        row = self.grid.find(layout)
        said = self.grid.predicted_s
        return nan if row is None or said is None else float(said[row])

    def _give_up_in_vain(self, attempt: Attempt, log: Path) -> None:
        """End the search where the command never works: it is not the layouts then."""
        worked = any(a.status in (Status.OK, Status.OUT_OF_MEMORY) for a in self.record.attempts)
        self._vain = 0 if worked else self._vain + 1
        if self._vain < PATIENCE:
            return
        hint = (
            'give the --pattern of its step times, or let it print {"step_time_s": 1.25}'
            if attempt.status is Status.UNREAD
            else "try the command by hand, and --timeout if it needs more time"
        )
        raise StopSearchError(
            self._refuse(
                f"the first {PATIENCE} attempts all failed, the last one: {attempt.message}; see "
                f"{log}; {hint}"
            )
        )

    def _refuse(self, text: str) -> str:
        self.refusal = f"--command: {text}"
        return self.refusal


def judged(outcome: Outcome, read: bool, tail_text: str, timeout_s: float) -> tuple[Status, str]:
    """Return what a run of the command came to, and why if it is not a step time."""
    last = next((line.strip() for line in reversed(tail_text.splitlines()) if line.strip()), "")
    if outcome.timed_out:
        return Status.TIMED_OUT, f"no end within {timeout_s:g} s"
    if OUT_OF_MEMORY.search(tail_text) and not (outcome.code == 0 and read):
        return Status.OUT_OF_MEMORY, "out of memory"
    if outcome.code:
        how = f"signal {-outcome.code}" if outcome.code < 0 else f"exit code {outcome.code}"
        return Status.FAILED, f"{how}: {last[:200]}" if last else how
    if not read:
        return Status.UNREAD, f"no step time in its output, which ends with {last[:200]!r}"
    return Status.OK, ""


def tail(log: Path, most: int = 100_000) -> str:
    """Return the end of a log [characters]."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - most))
        return file.read().decode("utf-8", "replace")
