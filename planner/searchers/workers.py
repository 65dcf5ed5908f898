"""Who works on a study, and whether they live."""

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

BEAT_S: Final = 15.0
"""Time between two signs of life. [s]"""
STALE_S: Final = 60.0
"""A claim without a sign of life for this long is given up; the clocks of machines that share a
study must agree better than this. [s]"""


def owner(pid: int) -> str:
    """Return the name of a process: machine, process namespace, number."""
    space = Path("/proc/self/ns/pid")
    return f"{platform.node()}/{space.stat().st_ino if space.exists() else 0}/{pid}"


def sign_of_life() -> dict[str, str | float]:
    """Return what a claim says of its worker."""
    return {"owner": owner(os.getpid()), "seen_s": time.time()}


def alive(said: Mapping[str, Any]) -> bool:
    """Return whether the worker that made a claim may still be at it."""
    if time.time() - float(said["seen_s"]) > STALE_S:
        return False
    pid = int(str(said["owner"]).rpartition("/")[2])
    return said["owner"] != owner(pid) or _runs(pid)


@contextmanager
def beating(beat: Callable[[], None]) -> Iterator[None]:
    """Say that this worker lives, every `BEAT_S`, as long as the block runs."""
    done = Event()

    def loop() -> None:
        while not done.wait(BEAT_S):
            with suppress(Exception):  # the next beat may come through
                beat()

    thread = Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _runs(pid: int) -> bool:
    """Return whether a process of this machine runs, as far as that can be asked."""
    if os.name != "posix":  # signal 0 would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
