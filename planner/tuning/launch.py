"""Run the user's command, bounded in time, its output in a file, nothing of it left behind."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from plan3d.simulator.errors import InputError

GRACE_S: Final = 5.0
"""Between asking a job to end and killing it. [s]"""
RUNNING: Final = "running"
"""The file that names the process group of the job in flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run of the command ended."""

    code: int
    """Exit code; minus the signal that ended it."""
    timed_out: bool
    wall_s: float
    """From start to end. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launcher:
    """Runs commands, one at a time."""

    folder: Path
    """Of the logs; it is made when it is needed."""
    timeout_s: float

    def log(self, number: int) -> Path:
        """Return where the output of a trial goes."""
        return self.folder / f"{number:03d}.log"

    def refuse_leftover(self) -> None:
        """Refuse to start beside a job that an earlier, killed process left running.

        Raises
        ------
        InputError
            If its process group still exists.
        """
        try:
            group = int((self.folder / RUNNING).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return
        if not _alive(group):
            return
        raise InputError(
            f"the job of an earlier, killed run is still running and would disturb the "
            f"measurements; end it first: kill -- -{group}"
        )

    def run(self, words: Sequence[str], log: Path) -> Outcome:
        """Run a command to its end or its timeout; all of its processes are gone afterwards."""
        self.folder.mkdir(parents=True, exist_ok=True)
        start_s = time.monotonic()
        with log.open("wb") as out, _terminable():
            job = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
            try:
                (self.folder / RUNNING).write_text(str(job.pid), encoding="ascii")
                try:
                    job.wait(self.timeout_s)
                    timed_out = False
                except subprocess.TimeoutExpired:
                    timed_out = True
            finally:
                _end(job)
                (self.folder / RUNNING).unlink(missing_ok=True)
        return Outcome(code=job.returncode, timed_out=timed_out, wall_s=time.monotonic() - start_s)


def _alive(group: int) -> bool:
    """Return whether a process group has a process that is not merely waiting to be reaped."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, owner = stat.read_text("utf-8", "replace").rpartition(")")[2].split()[:3]
            if int(owner) == group and state != "Z":
                return True
    return False


def _end(job: "subprocess.Popen[bytes]") -> None:
    """End all processes of a job: a launcher may leave some behind, or not listen."""
    if job.poll() is None:
        _signal(job.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            job.wait(GRACE_S)
    _signal(job.pid, signal.SIGKILL)
    job.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let a request to end this process end the job, too, as Ctrl-C does."""
    try:
        before = signal.signal(signal.SIGTERM, _interrupt)
    except ValueError:  # not the main thread: its owner decides
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    raise KeyboardInterrupt
