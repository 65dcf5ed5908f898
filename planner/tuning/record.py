"""The record of a tuning run: a line of JSON per attempt, safe against being killed.

The first line says what is tuned; each further line is one attempt, written and flushed to the disk
when it has ended. A killed run loses at most the attempt in flight.
"""

import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import Any, Final

from plan3d.planner.result import Job
from plan3d.planner.searchers.protocols import Trial
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import FIELDS, Layout, Order, Recompute, Schedule

FORMAT: Final = 1
"""Version of the record; another one is refused, not guessed at."""


class Status(StrEnum):
    """What became of an attempt."""

    OK = "ok"
    OUT_OF_MEMORY = "out of memory"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    UNREAD = "no step time"
    """It ended well, but printed nothing that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One run of the user's command."""

    layout: Layout
    status: Status
    time_s: float = math.nan
    """Step time; not a number unless the status is OK. [s]"""
    steps_s: tuple[float, ...] = ()
    """Every step that was printed. [s]"""
    predicted_s: float = math.nan
    """What the closed form said before. [s]"""
    message: str = ""
    """Why it did not work."""
    wall_s: float = 0.0
    """The whole run of the command. [s]"""
    words: tuple[str, ...] = ()
    log: str = ""

    @property
    def trial(self) -> Trial:
        """The same, as searchers see it."""
        over = math.inf if self.status is Status.OUT_OF_MEMORY else 0.0
        why = self.message or str(self.status)
        ok = self.status is Status.OK
        return Trial(
            layout=self.layout, time_s=self.time_s, over_bytes=over, message="" if ok else why
        )


@dataclass(slots=True, kw_only=True)
class Record:
    """An open record: what was tried, and where the next attempt is written down."""

    path: Path
    attempts: list[Attempt]
    cut_short: bool
    """The last line was incomplete: the process that wrote it was killed."""
    _file: FileIO = field(repr=False)

    def add(self, attempt: Attempt) -> None:
        """Write an attempt down; it is on the disk when this returns."""
        self._file.write(_line(_of_attempt(attempt)))
        os.fsync(self._file.fileno())
        self.attempts.append(attempt)


@contextmanager
def opened(path: Path, job: Job, framework: str) -> Iterator[Record]:
    """Open a record for one process, new or begun before.

    Raises
    ------
    InputError
        If it cannot be read or written, is in use, damaged, of another version or another job.
    """
    try:
        file = FileIO(path, "a+")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"{path} is in use by another plan3d tune; wait for it, or give another --out"
            ) from None
        file.seek(0)
        lines, rest = _lines(file.readall() or b"")
        head = {"plan3d tune": FORMAT, "job": question_of(job, framework)}
        if lines or not _line(head).startswith(rest):
            _check_head(path, lines[0][1] if lines else None, head)
        attempts = [_attempt(path, number, said) for number, said in lines[1:]]
        if rest:
            file.truncate(file.seek(0, os.SEEK_END) - len(rest))
        if not lines:
            file.write(_line(head))
        yield Record(path=path, attempts=attempts, cut_short=bool(rest), _file=file)


def question_of(job: Job, framework: str) -> dict[str, Any]:
    """Return what the measurements of a record have in common.

    The hardware profile is not part of it: it changes what is predicted, not what was measured.
    """
    shape = {k: v for k, v in asdict(job.model).items() if k not in ("name", "source")}
    asked = {
        "model": shape,
        "gpus": job.gpus,
        "seq": job.work.seq,
        "global_batch": job.work.global_batch,
        "precision": job.work.precision.name,
        "optimizer": job.work.optimizer.name,
        "framework": framework,
    }
    return dict(json.loads(json.dumps(asked)))


def _lines(data: bytes) -> tuple[list[tuple[int, Any]], bytes]:
    """Return each whole line with its number, and what follows the last."""
    *whole, rest = data.split(b"\n")
    return [(number, _parsed(line)) for number, line in enumerate(whole, start=1)], rest


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _check_head(path: Path, head: Any, wanted: Mapping[str, Any]) -> None:
    """Refuse a record of something else."""
    if not isinstance(head, dict) or "plan3d tune" not in head:
        raise InputError(f"{path} is not a record of plan3d tune; give another --out")
    if head["plan3d tune"] != FORMAT:
        raise InputError(
            f"{path} has format {head['plan3d tune']!r:.20}, and this plan3d reads {FORMAT}: use "
            "the plan3d that began it, or give another --out"
        )
    was, now = head.get("job"), wanted["job"]
    was = was if isinstance(was, dict) else {}
    differ = [f"{k} {was.get(k)!r:.80}, not {now[k]!r:.80}" for k in now if was.get(k) != now[k]]
    if differ:
        raise InputError(
            f"{path} is the record of another job ({'; '.join(differ)}); give another --out"
        )


def _attempt(path: Path, number: int, said: Any) -> Attempt:
    """Return the attempt of a line."""
    try:
        kinds = {"recompute": Recompute, "schedule": Schedule, "order": Order, "offload": float}
        layout = {k: kinds.get(k, int)(said["layout"][k]) for k in FIELDS}
        return Attempt(
            layout=Layout(**layout),
            status=Status(said["status"]),
            time_s=_float(said["time_s"]),
            steps_s=tuple(map(float, said["steps_s"])),
            predicted_s=_float(said["predicted_s"]),
            message=str(said["message"]),
            wall_s=float(said["wall_s"]),
            words=tuple(map(str, said["words"])),
            log=str(said["log"]),
        )
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(
            f"{path}, line {number}: not an attempt ({type(error).__name__}: {error}); remove the "
            "line, or give another --out"
        ) from None


def _of_attempt(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as JSON has it: what is not a number is null."""
    said = asdict(attempt)
    for name in ("time_s", "predicted_s"):
        said[name] = said[name] if math.isfinite(said[name]) else None
    return said


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _line(value: Mapping[str, Any] | Sequence[Any]) -> bytes:
    return json.dumps(value, allow_nan=False).encode() + b"\n"
