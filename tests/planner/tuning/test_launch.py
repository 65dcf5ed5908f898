import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from plan3d.planner.tuning import Launcher, launch
from plan3d.simulator.errors import InputError

LAUNCHER = str(Path(__file__).with_name("launcher.py"))


def words(behave: str, *more: str) -> list[str]:
    said = ["--tp", "1", "--pp", "1", "--behave", behave, *more]
    return [sys.executable, "-S", "-E", LAUNCHER, *said]


def gone(process: int) -> bool:
    """Return whether a process ends soon: a signal takes a moment to arrive."""
    for _ in range(100):
        if not alive(process):
            return True
        time.sleep(0.02)
    return False


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_both_streams_are_in_the_log(tmp_path: Path) -> None:
    launcher = Launcher(folder=tmp_path / "logs", timeout_s=30)
    found = launcher.run(words("crash"), launcher.log(7))
    assert (found.code, found.timed_out) == (13, False)
    assert (tmp_path / "logs" / "007.log").read_text().splitlines() == [
        "ValueError: heads do not divide",
        "loading ...",
    ]


def test_a_signal_is_a_negative_code(tmp_path: Path) -> None:
    launcher = Launcher(folder=tmp_path, timeout_s=30)
    assert launcher.run(words("killed"), launcher.log(1)).code == -signal.SIGKILL


def test_a_job_past_its_time_ends_with_all_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "GRACE_S", 0.2)
    child = tmp_path / "child"
    launcher = Launcher(folder=tmp_path, timeout_s=1.0)
    found = launcher.run(
        words("child,hang,ignore-end", "--child-file", str(child)), launcher.log(1)
    )
    assert found.timed_out
    assert 1.0 <= found.wall_s < 20
    assert gone(int(child.read_text()))


def test_what_a_job_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    child = tmp_path / "child"
    launcher = Launcher(folder=tmp_path, timeout_s=30)
    found = launcher.run(words("child", "--child-file", str(child)), launcher.log(1))
    assert (found.code, found.timed_out) == (0, False)
    assert gone(int(child.read_text()))


def test_asked_to_end_the_job_ends_too(tmp_path: Path) -> None:
    launcher = Launcher(folder=tmp_path, timeout_s=60)
    threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGTERM)).start()
    start_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        launcher.run(words("hang"), launcher.log(1))
    assert time.monotonic() - start_s < 30
    assert not (tmp_path / launch.RUNNING).exists()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_job_that_a_killed_call_left_running_is_not_disturbed(tmp_path: Path) -> None:
    launcher = Launcher(folder=tmp_path, timeout_s=60)
    launcher.refuse_leftover()
    (tmp_path / launch.RUNNING).write_text(str(os.getpgid(0)))
    with pytest.raises(InputError, match="still running"):
        launcher.refuse_leftover()
    (tmp_path / launch.RUNNING).write_text("not a number")
    launcher.refuse_leftover()
