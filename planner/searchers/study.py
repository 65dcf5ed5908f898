"""Trials in a file or a database: they outlive the process, and many workers share them.

A worker claims a layout before it tries it: it writes a running trial, and of several claims of a
layout the lowest number holds. While it tries, it says from time to time that it lives. The claim
of a worker that died is given up, and the layout tried again.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from math import isnan, nan
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.protocols import Trial
from plan3d.planner.searchers.storage import connected, shown, why
from plan3d.planner.searchers.workers import alive, beating, sign_of_life
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import FIELDS

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

FORMAT: Final = 1
"""Of what is written down; studies of other formats are refused."""
PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Waits before an outcome is written again, where the storage did not take it. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a study stands."""

    tried: dict[int, Trial]
    """What became of each row of the grid, in the order of their claims."""
    busy: frozenset[int]
    """Rows that workers are trying."""
    lost: tuple[int, ...]
    """Rows whose worker died or gave up: to be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The trials of one grid, in a storage: open it with `opened`."""

    grid: Grid
    storage: str
    name: str
    _backend: "BaseStorage"
    _number: int

    def progress(self) -> Progress:
        """Return what was tried, and what is being tried; give up the claims of the dead.

        Raises
        ------
        InputError
            If the storage cannot be read.
        """
        tried: dict[int, Trial] = {}
        busy: set[int] = set()
        lost: dict[int, None] = {}
        for frozen in self._trials():
            row = int(frozen.user_attrs["row"])
            if "outcome" in frozen.user_attrs:
                tried.setdefault(row, self._outcome(row, frozen.user_attrs["outcome"]))
            elif frozen.state.is_finished() or not alive(frozen.user_attrs):
                self._close(frozen, None)
                lost[row] = None
            else:
                busy.add(row)
        busy -= tried.keys()
        return Progress(
            tried=tried,
            busy=frozenset(busy),
            lost=tuple(row for row in lost if row not in tried and row not in busy),
        )

    def evaluate(self, row: int, ask: Callable[[], Trial], most: int) -> Trial | None:
        """Claim a row, try it, and write down what became of it.

        Parameters
        ----------
        row
            Row of the grid.
        ask
            Tries it.
        most
            Trials that the study may have, those of all workers together.

        Returns
        -------
        Trial | None
            None where another worker holds the row, or there are `most` trials already.

        Raises
        ------
        InputError
            If the storage cannot be used; the message repeats an outcome that is not in it.
        """
        claim = self._claimed(row, most)
        if claim is None:
            return None
        try:
            with beating(lambda: self._beat(claim._trial_id)):
                found = ask()
        except BaseException:
            self._close(claim, None)
            raise
        self._keep(claim, row, found)
        return found

    def _claimed(self, row: int, most: int) -> "FrozenTrial | None":
        """Return the claim of a row, if it holds."""
        said = {"row": row, "layout": str(self.grid.table.row(row)), **sign_of_life()}
        with self._clearly():
            mine = self._backend.get_trial(self._new(said))
        before = {
            int(t.user_attrs["row"])
            for t in self._trials()
            if t.number < mine.number and ("outcome" in t.user_attrs or not t.state.is_finished())
        }
        if row in before or len(before) >= most:
            self._close(mine, None)
            return None
        return mine

    def _new(self, said: Mapping[str, Any]) -> int:
        """Write a running trial with all that is said of it, at once; return its id."""
        from optuna.trial import TrialState, create_trial  # noqa: PLC0415  (heavy)

        trial = create_trial(state=TrialState.RUNNING, user_attrs=dict(said))
        return self._backend.create_new_trial(self._number, template_trial=trial)

    def _keep(self, claim: "FrozenTrial", row: int, found: Trial) -> None:
        """Write down an outcome, in one piece; wait for a storage that is away for a while."""
        for pause_s in (*PAUSES_S, None):
            try:
                self._write(claim, row, found)
            except InputError as error:
                if pause_s is None:
                    raise InputError(f"{error}; not written down: {found}") from error
                time.sleep(pause_s)
            else:
                return

    def _write(self, claim: "FrozenTrial", row: int, found: Trial) -> None:
        from optuna.exceptions import UpdateFinishedTrialError  # noqa: PLC0415  (heavy)

        with self._clearly():
            trial_id = claim._trial_id
            try:
                self._backend.set_trial_user_attr(trial_id, "outcome", _written(found))
            except UpdateFinishedTrialError:  # thought dead, and given up: it was slow
                said = {"row": row, "outcome": _written(found), **sign_of_life()}
                trial_id = self._new(said)
            self._close(self._backend.get_trial(trial_id), found)

    def _close(self, claim: "FrozenTrial", found: Trial | None) -> None:
        """Give a claim its last state, if nobody did before."""
        from optuna.exceptions import UpdateFinishedTrialError  # noqa: PLC0415  (heavy)
        from optuna.trial import TrialState  # noqa: PLC0415

        if claim.state.is_finished():
            return
        ran = found is not None and found.ok
        with self._clearly(), suppress(UpdateFinishedTrialError):
            self._backend.set_trial_state_values(
                claim._trial_id,
                TrialState.COMPLETE if ran else TrialState.FAIL,
                [found.time_s] if found and ran else None,
            )

    def _beat(self, trial_id: int) -> None:
        self._backend.set_trial_user_attr(trial_id, "seen_s", sign_of_life()["seen_s"])

    def _trials(self) -> list["FrozenTrial"]:
        """Return the trials of layouts, in the order of their numbers."""
        with self._clearly():
            found = self._backend.get_all_trials(self._number, deepcopy=False)
            return [t for t in found if "row" in t.user_attrs]

    def _outcome(self, row: int, said: Mapping[str, str]) -> Trial:
        return Trial(
            layout=self.grid.table.row(row),
            time_s=_read(said["time_s"]),
            over_bytes=_read(said["over_bytes"]),
            memory_bytes=_read(said["memory_bytes"]),
            message=said["message"],
        )

    @contextmanager
    def _clearly(self) -> Iterator[None]:
        """Turn what a backend raises into one clear message."""
        from optuna.exceptions import UpdateFinishedTrialError  # noqa: PLC0415  (heavy)

        try:
            yield
        except (InputError, UpdateFinishedTrialError):
            raise
        except Exception as error:  # every backend raises its own kind
            raise InputError(
                f"storage {shown(self.storage)} cannot be used any more: {why(error)}; what is in "
                "it stays, start again to go on"
            ) from error


def opened(grid: Grid, storage: str, name: str = "plan3d", question: str = "") -> Study:
    """Return a study of the layouts of a grid, new or begun before.

    Parameters
    ----------
    grid
        Its layouts.
    storage
        A URL (``postgresql://...``), the name of a journal file (``.log``, ``.journal``), or of an
        SQLite file (any other).
    name
        Of the study in its storage.
    question
        What is measured, in words: a study of another question is refused.

    Raises
    ------
    InputError
        If the storage cannot be reached or read, or holds another study by this name.
    """
    backend, number, said = connected(
        storage, name, {"format": FORMAT, "space": fingerprint(grid), "question": question}
    )
    if said.get("format") != FORMAT:
        raise InputError(
            f"study {name!r} in {shown(storage)} is of format {said.get('format')}, and this "
            f"version of plan3d reads format {FORMAT}; use the version that began it, another "
            "name, or another storage"
        )
    if said["space"] != fingerprint(grid):
        raise InputError(
            f"study {name!r} in {shown(storage)} is of other layouts; use another name or storage"
        )
    if said["question"] != question:
        raise InputError(
            f"study {name!r} in {shown(storage)} is of another question ({said['question']}); use "
            "another name or storage"
        )
    return Study(grid=grid, storage=storage, name=name, _backend=backend, _number=number)


def fingerprint(grid: Grid) -> str:
    """Return a text that differs where the layouts of two grids do."""
    columns = np.array([getattr(grid.table, name) for name in FIELDS])
    return sha256(columns.tobytes()).hexdigest()[:16]


def _written(found: Trial) -> dict[str, str]:
    """Return an outcome as text: JSON has no infinity."""
    return {
        "time_s": repr(float(found.time_s)),
        "over_bytes": repr(float(found.over_bytes)),
        "memory_bytes": repr(float(found.memory_bytes)),
        "message": found.message[:1500],
    }


def _read(text: str) -> float:
    """Return a number; the same object for all that are none, so that trials can be compared."""
    value = float(text)
    return nan if isnan(value) else value
