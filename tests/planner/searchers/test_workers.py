"""Processes that share a study: nothing is tried twice, and nothing is lost with who dies."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from plan3d.planner.searchers.study import opened
from tests.planner.searchers.spaces import small

ROOT = Path(__file__).parents[3]
BUDGET = 24


def start(storage: str, log: Path, *, seed: int, pause_s: float) -> "subprocess.Popen[str]":
    """Start a worker."""
    command = [sys.executable, "-m", "tests.planner.searchers.worker", storage, str(log),
               "bayesian", str(BUDGET), str(seed), str(pause_s)]  # fmt: skip
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def lines(log: Path, word: str) -> list[str]:
    """Return the layouts of a log's lines that start with a word."""
    said = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [line.partition(" ")[2] for line in said if line.startswith(word)]


def check(storage: str, folder: Path) -> None:
    """Let two workers share a study, kill one in a trial, and count."""
    logs = [folder / "one.txt", folder / "two.txt"]
    workers = [
        start(storage, log, seed=seed, pause_s=pause_s)
        for log, seed, pause_s in zip(logs, (0, 1), (0.3, 0.05), strict=True)
    ]
    deadline = time.monotonic() + 60
    while not (len(lines(logs[0], "end")) >= 2 and lines(logs[1], "end")):
        assert time.monotonic() < deadline, [w.poll() for w in workers]
        time.sleep(0.01)
    while len(lines(logs[0], "begin")) == len(lines(logs[0], "end")):
        time.sleep(0.01)
    workers[0].send_signal(signal.SIGKILL)
    workers[0].communicate()
    said = workers[1].communicate(timeout=60)[1]
    assert workers[1].returncode == 0, said

    ended = [*lines(logs[0], "end"), *lines(logs[1], "end")]
    begun = Counter([*lines(logs[0], "begin"), *lines(logs[1], "begin")])
    cut = set(lines(logs[0], "begin")) - set(lines(logs[0], "end"))
    tried = [str(t.layout) for t in opened(small(), storage).progress().tried.values()]
    assert len(tried) == BUDGET
    assert sorted(tried) == sorted(ended)
    assert len(cut) == 1
    assert {layout for layout, n in begun.items() if n > 1} == cut
    assert max(begun.values()) == 2


@pytest.mark.parametrize("name", ["study.log", "study.db"])
def test_two_processes_share_a_file(tmp_path: Path, name: str) -> None:
    check(str(tmp_path / name), tmp_path)


@pytest.fixture
def server() -> Iterator[str]:
    """A PostgreSQL server of its own on a port of loopback."""
    found = [shutil.which("initdb"), *Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    binaries = [Path(p).resolve().parent for p in found if p]
    if not binaries or not (find_spec("psycopg") or find_spec("psycopg2")):
        pytest.skip("needs the programs of PostgreSQL, and a driver (extra: postgresql)")
    user = "postgres" if os.geteuid() == 0 else None  # the server does not run as root
    port = 50_000 + os.getpid() % 10_000

    def call(program: str, *options: str) -> None:
        subprocess.run(
            [str(binaries[0] / program), "-D", data, *options], user=user, cwd="/", check=True,
            timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    with TemporaryDirectory() as data:
        if user:
            shutil.chown(data, user)
        call("initdb", "-U", "plan3d", "-A", "trust", "--no-sync")
        listen = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        call("pg_ctl", "-w", "-o", listen, "-l", f"{data}/log", "start")
        try:
            yield f"postgresql://plan3d@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")


def test_two_processes_share_a_database(server: str, tmp_path: Path) -> None:
    check(server, tmp_path)
