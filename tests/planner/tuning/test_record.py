import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from plan3d.planner.result import Job
from plan3d.planner.tuning import Attempt, Status, opened
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, Recompute, Schedule

RAN = Attempt(
    layout=Layout(tp=2, pp=4, dp=2, vpp=2, schedule=Schedule.INTERLEAVED, recompute=Recompute.FULL),
    status=Status.OK, time_s=1.5, steps_s=(1.4, 1.5, 1.6), predicted_s=1.25, wall_s=30.0,
    words=("./launch.sh", "--tp", "2"), log="tune.logs/001.log",
)  # fmt: skip
FAILED = Attempt(layout=Layout(dp=16), status=Status.TIMED_OUT, message="no end within 5 s")


def attempts(path: Path, job: Job) -> list[Attempt]:
    with opened(path, job, "megatron") as record:
        return record.attempts


def test_what_is_written_is_read_back(tmp_path: Path, job: Job) -> None:
    path = tmp_path / "tune.jsonl"
    with opened(path, job, "megatron") as record:
        record.add(RAN)
        record.add(FAILED)
    first, second = attempts(path, job)
    assert first == RAN
    assert (second.status, second.message) == (Status.TIMED_OUT, "no end within 5 s")
    assert math.isnan(second.time_s)
    assert isinstance(first.layout.schedule, Schedule)


def test_an_attempt_is_on_the_disk_at_once(tmp_path: Path, job: Job) -> None:
    path = tmp_path / "tune.jsonl"
    with opened(path, job, "megatron") as record:
        record.add(RAN)
        assert len(path.read_text().splitlines()) == 2


def test_a_line_that_was_cut_short_is_left_out_and_written_over(tmp_path: Path, job: Job) -> None:
    path = tmp_path / "tune.jsonl"
    with opened(path, job, "megatron") as record:
        record.add(RAN)
    path.write_bytes(path.read_bytes() + b'{"layout": {"tp')
    with opened(path, job, "megatron") as record:
        assert record.cut_short
        assert record.attempts == [RAN]
        record.add(RAN)
    assert attempts(path, job) == [RAN, RAN]


def test_a_record_serves_one_process_at_a_time(tmp_path: Path, job: Job) -> None:
    path = tmp_path / "tune.jsonl"
    with (
        opened(path, job, "megatron"),
        pytest.raises(InputError, match="in use by another plan3d tune"),
        opened(path, job, "megatron"),
    ):
        pass


def test_the_profile_may_change_but_not_the_job(tmp_path: Path, job: Job) -> None:
    path = tmp_path / "tune.jsonl"
    with opened(path, job, "megatron") as record:
        record.add(RAN)
    slower = replace(job, cluster=replace(job.cluster, gpus_per_node=4))
    assert attempts(path, slower) == [RAN]
    before = path.read_bytes()
    for other, name in ((replace(job, gpus=32), "megatron"), (job, "nemo")):
        with pytest.raises(InputError, match="another job"), opened(path, other, name):
            pass
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ('{"plan3d tune": 99}', "format 99, and this plan3d reads 1"),
        ('{"other": 1}', "not a record"),
        ("hello", "not a record"),
    ],
)
def test_a_file_of_something_else_is_left_as_it_is(
    tmp_path: Path, job: Job, head: str, message: str
) -> None:
    path = tmp_path / "tune.jsonl"
    for end in ("", "\n") if message == "not a record" else ("\n",):
        path.write_text(head + end)
        with pytest.raises(InputError, match=message), opened(path, job, "megatron"):
            pass
        assert path.read_text() == head + end


def test_a_first_line_that_was_cut_short_is_begun_again(tmp_path: Path, job: Job) -> None:
    path = tmp_path / "tune.jsonl"
    path.write_text('{"plan3d tune": 1, "jo')
    with opened(path, job, "megatron") as record:
        record.add(RAN)
    assert attempts(path, job) == [RAN]


def test_a_damaged_line_is_named(tmp_path: Path, job: Job) -> None:
    path = tmp_path / "tune.jsonl"
    with opened(path, job, "megatron") as record:
        record.add(RAN)
    lines = path.read_text().splitlines()
    said = json.loads(lines[1])
    said["layout"]["tp"] = 0
    path.write_text(f"{lines[0]}\n{json.dumps(said)}\n")
    with pytest.raises(InputError, match="line 2: not an attempt"), opened(path, job, "megatron"):
        pass


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, job: Job) -> None:
    with (
        pytest.raises(InputError, match="cannot write"),
        opened(tmp_path / "no" / "tune.jsonl", job, "megatron"),
    ):
        pass


def test_a_failed_attempt_is_no_time_for_a_searcher() -> None:
    memory = Attempt(layout=Layout(dp=16), status=Status.OUT_OF_MEMORY, message="out of memory")
    assert (RAN.trial.ok, FAILED.trial.ok, memory.trial.ok) == (True, False, False)
    assert (FAILED.trial.out_of_memory, memory.trial.out_of_memory) == (False, True)
