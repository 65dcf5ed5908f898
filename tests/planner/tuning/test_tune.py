from pathlib import Path

import numpy as np
import pytest

from plan3d.planner.result import Job
from plan3d.planner.searchers.grid import Grid, grid_from
from plan3d.planner.tuning import (
    PATTERNS,
    Attempt,
    Launcher,
    Reader,
    Status,
    Tuned,
    opened,
    pattern_of,
    tune,
)
from plan3d.planner.tuning.correct import corrected
from plan3d.planner.tuning.launch import Outcome
from plan3d.planner.tuning.tune import judged
from plan3d.planner.validation.site import SCALARS
from plan3d.simulator.errors import InputError
from plan3d.simulator.estimate import estimate_table
from plan3d.simulator.layout import Layout, LayoutTable
from tests.planner.tuning.conftest import template


def tuned(
    path: Path, job: Job, grid: Grid, command: str, trials: int, timeout_s: float = 30
) -> Tuned:
    reader = Reader(job=job, pattern=pattern_of(PATTERNS["megatron"]))
    launcher = Launcher(folder=path / "logs", timeout_s=timeout_s)
    first = [grid.table.row(int(i)) for i in grid.foreseen(2)]
    with opened(path / "tune.jsonl", job, "megatron") as record:
        return tune(
            grid, template(job, command), launcher, reader, record,
            first=first, trials=trials, seed=0,
        )  # fmt: skip


def test_the_model_s_choices_come_first_and_learning_beats_them(
    tmp_path: Path, job: Job, grid: Grid, command: str
) -> None:
    found = tuned(tmp_path, job, grid, command, 10)
    assert [a.layout for a in found.attempts[:2]] == [
        grid.table.row(int(i)) for i in grid.foreseen(2)
    ]
    assert found.best is not None
    assert found.history.evaluations == len({a.layout for a in found.attempts}) == 10
    # by hand, from the launcher's formula: the model's first choice has tp=2, pp=1, micro_batch=2
    assert found.attempts[0].time_s == 1 + 0.3 - 0.05
    assert found.best.time_s <= 0.9


def test_every_kind_of_end_is_told_apart(tmp_path: Path, job: Job, command: str) -> None:
    layouts = [Layout(tp=tp, dp=16 // tp) for tp in (1, 2, 4, 8, 16)]
    small = grid_from(LayoutTable.of(layouts), predicted_s=np.arange(1.0, 6.0))
    behave = "noise,garbage-tp2,crash-tp4,hang-tp8,oom-tp16"
    found = tuned(tmp_path, job, small, f"{command} --behave {behave}", 5, timeout_s=3)
    ends = {a.layout.tp: a for a in found.attempts}
    assert {tp: a.status for tp, a in ends.items()} == {
        1: Status.OK, 2: Status.UNREAD, 4: Status.FAILED, 8: Status.TIMED_OUT,
        16: Status.OUT_OF_MEMORY,
    }  # fmt: skip
    assert ends[4].message.startswith("exit code 13: ")
    assert ends[8].message == "no end within 3 s"
    assert "soon" in ends[2].message
    assert found.best is ends[1]
    assert found.best.time_s == pytest.approx(1.0, rel=0.011)
    assert found.history.stopped == "exhausted"


def test_stopped_it_goes_on_where_it_was(
    tmp_path: Path, job: Job, grid: Grid, command: str
) -> None:
    (tmp_path / "a").mkdir()
    whole = tuned(tmp_path / "a", job, grid, command, 6)
    (tmp_path / "b").mkdir()
    tuned(tmp_path / "b", job, grid, command, 3)
    second = tuned(tmp_path / "b", job, grid, command, 6)
    assert [a.layout for a in second.attempts] == [a.layout for a in whole.attempts]
    assert tuned(tmp_path / "b", job, grid, command, 6).attempts == second.attempts


@pytest.mark.parametrize(
    ("behave", "message"),
    [
        ("crash", r"the first 3 attempts all failed, the last one: exit code 13.*logs/003\.log"),
        ("garbage", r"no step time in its output.*give the --pattern"),
        ("hang", r"no end within 0\.3 s.*--timeout"),
    ],
)
def test_a_command_that_never_works_is_given_up(
    tmp_path: Path, job: Job, grid: Grid, command: str, behave: str, message: str
) -> None:
    timeout_s = 0.3 if behave == "hang" else 30
    with pytest.raises(InputError, match=message):
        tuned(tmp_path, job, grid, f"{command} --behave {behave}", 20, timeout_s)
    with opened(tmp_path / "tune.jsonl", job, "megatron") as record:
        assert len(record.attempts) == 3


def test_what_could_not_be_read_is_tried_again(
    tmp_path: Path, job: Job, grid: Grid, command: str
) -> None:
    with pytest.raises(InputError):
        tuned(tmp_path, job, grid, f"{command} --behave garbage", 20)
    found = tuned(tmp_path, job, grid, command, 3)
    assert [a.status for a in found.attempts] == [Status.UNREAD] * 3 + [Status.OK] * 3
    assert found.attempts[3].layout == found.attempts[0].layout


def test_layouts_that_run_out_of_memory_are_no_reason_to_give_up(
    tmp_path: Path, job: Job, grid: Grid, command: str
) -> None:
    found = tuned(tmp_path, job, grid, f"{command} --behave oom", 5)
    assert {a.status for a in found.attempts} == {Status.OUT_OF_MEMORY}
    assert len(found.attempts) == 5


def test_a_file_that_is_no_program_stops_at_once(tmp_path: Path, job: Job, grid: Grid) -> None:
    script = tmp_path / "launch"
    script.write_bytes(b"\x7fELF not really")
    script.chmod(0o755)
    with pytest.raises(InputError, match="launch: Exec format error"):
        tuned(tmp_path, job, grid, f"{script} {{flags}}", 5)


@pytest.mark.parametrize(
    ("code", "read", "text", "status"),
    [
        (0, True, "", Status.OK),
        (0, True, "warning: out of memory avoided", Status.OK),
        (0, False, "CUDA out of memory, giving up", Status.OUT_OF_MEMORY),
        (1, True, "torch.OutOfMemoryError", Status.OUT_OF_MEMORY),
        (1, True, "Segmentation fault", Status.FAILED),
        (-9, True, "", Status.FAILED),
        (0, False, "", Status.UNREAD),
    ],
)
def test_ends_are_judged(code: int, read: bool, text: str, status: Status) -> None:
    outcome = Outcome(code=code, timed_out=False, wall_s=1.0)
    assert judged(outcome, read, text, 60.0)[0] is status


def test_the_site_s_slowness_is_found(job: Job, grid: Grid) -> None:
    """Steps of a cluster whose kernels take 1.3 times as long, as attempts."""
    slow = SCALARS["kernels"](job.cluster, 1.3)
    rows = grid.foreseen(12)
    table = LayoutTable.of(grid.table.row(int(i)) for i in rows)
    times = estimate_table(job.model, job.work, slow, job.software, table).step_time_s
    attempts = [
        Attempt(layout=table.row(i), status=Status.OK, time_s=float(s)) for i, s in enumerate(times)
    ]
    failed = Attempt(layout=table.row(0), status=Status.FAILED)
    fit = corrected(job, [*attempts, failed])
    assert fit.runs == 12
    value, error = fit.scalars["kernels"]
    assert value == pytest.approx(1.3, abs=max(0.02, 3 * error))
    assert fit.after < 0.02 < fit.before


def test_few_runs_correct_nothing(job: Job) -> None:
    with pytest.raises(InputError, match="0 runs with a time"):
        corrected(job, [])
