"""Studies that go on after a stop."""

import sqlite3
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from threading import Event

import pytest

from plan3d.planner.searchers import study as module
from plan3d.planner.searchers import workers
from plan3d.planner.searchers.boxes import closed_form
from plan3d.planner.searchers.grid import grid_from
from plan3d.planner.searchers.protocols import Trial
from plan3d.planner.searchers.random_search import random_search
from plan3d.planner.searchers.storage import shown
from plan3d.planner.searchers.study import opened
from plan3d.planner.searchers.table import SEARCHERS
from plan3d.planner.searchers.workers import alive, beating, owner
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout
from tests.planner.searchers.spaces import JOB, QUICK, Watched, small

KINDS = ("study.db", "study.log")


class KilledError(BaseException):
    """What no searcher catches."""


def dying(before: Watched, after: int) -> Callable[[Layout], Trial]:
    """A black box that takes its process with it."""

    def box(layout: Layout, /) -> Trial:
        if len(before.asked) == after:
            raise KilledError
        return before(layout)

    return box


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["random", "bayesian"])
def test_a_killed_study_loses_only_the_trial_in_flight(
    tmp_path: Path, kind: str, name: str
) -> None:
    storage, searcher = str(tmp_path / kind), SEARCHERS[name]
    before, after = Watched(), Watched()
    with pytest.raises(KilledError):
        searcher(small(), dying(before, 8), budget=20, seed=0, study=opened(small(), storage))
    found = searcher(small(), after, budget=20, seed=0, study=opened(small(), storage))
    assert [t.layout for t in found.trials[:8]] == list(before.asked)
    assert found.evaluations == 20
    assert len(after.asked) == 12
    assert not before.asked & after.asked
    box = closed_form(JOB)
    assert all(t == box(t.layout) for t in found.trials if t.ok)


def test_what_was_in_flight_is_tried_first(tmp_path: Path) -> None:
    storage = str(tmp_path / "study.log")
    before, after = Watched(), Watched()
    whole = random_search(small(), Watched(), budget=9, seed=4)
    with pytest.raises(KilledError):
        random_search(small(), dying(before, 5), budget=9, seed=4, study=opened(small(), storage))
    random_search(small(), after, budget=9, seed=4, study=opened(small(), storage))
    assert [*before.asked, *after.asked] == [t.layout for t in whole.trials]


@pytest.mark.parametrize("name", QUICK)
def test_every_searcher_goes_on_with_what_others_tried(tmp_path: Path, name: str) -> None:
    storage, box = str(tmp_path / "study.log"), Watched()
    random_search(small(), box, budget=6, seed=0, study=opened(small(), storage))
    found = SEARCHERS[name](small(), box, budget=14, seed=0, study=opened(small(), storage))
    assert found.evaluations == len(box.asked) == 14
    assert max(box.asked.values()) == 1


def test_a_spent_study_asks_nothing_more(tmp_path: Path) -> None:
    study = opened(small(), str(tmp_path / "study.log"))
    once = random_search(small(), Watched(), budget=6, seed=0, study=study)
    again = Watched()
    assert random_search(small(), again, budget=6, seed=0, study=study) == once
    assert not again.asked


def test_outcomes_are_read_as_they_were_written(tmp_path: Path) -> None:
    def box(layout: Layout, /) -> Trial:
        kinds = [
            Trial(layout=layout, time_s=0.1 + 0.2, memory_bytes=2.0**40 / 3),
            Trial(layout=layout, over_bytes=inf),
            Trial(layout=layout, message="no room\n'\N{SNOWMAN}'"),
        ]
        return kinds[layout.tp.bit_length() % 3]

    storage = str(tmp_path / "study.db")
    found = random_search(small(), box, budget=8, seed=0, study=opened(small(), storage))
    again = random_search(small(), box, budget=8, seed=0, study=opened(small(), storage))
    assert found == again
    assert {t.ok for t in found.trials} == {True, False}


def test_a_claim_holds_until_its_worker_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (opened(small(), str(tmp_path / "study.log")) for _ in range(2))
    asked = []

    def slow() -> Trial:
        assert two.progress().busy == {3}
        assert two.evaluate(3, lambda: pytest.fail("claimed twice"), 10) is None
        return closed_form(JOB)(small().table.row(3))

    assert one.evaluate(3, slow, 10) is not None
    assert two.progress().busy == frozenset()
    assert list(two.progress().tried) == [3]

    def late() -> Trial:
        monkeypatch.setattr(workers, "STALE_S", -1.0)
        assert two.progress().lost == (4,)
        monkeypatch.undo()
        found = two.evaluate(4, lambda: closed_form(JOB)(small().table.row(4)), 10)
        asked.append(found)
        return closed_form(JOB)(small().table.row(4))

    one.evaluate(4, late, 10)
    assert asked[0] is not None
    assert list(one.progress().tried) == [3, 4]


def test_an_outcome_of_a_worker_that_was_thought_dead_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (opened(small(), str(tmp_path / "study.db")) for _ in range(2))

    def slow() -> Trial:
        monkeypatch.setattr(workers, "STALE_S", -1.0)
        assert two.progress().lost == (3,)
        monkeypatch.undo()
        return Trial(layout=small().table.row(3), time_s=7.0)

    one.evaluate(3, slow, 10)
    assert two.progress().tried[3].time_s == 7.0
    assert two.progress().lost == ()


def test_the_budget_is_that_of_all_workers(tmp_path: Path) -> None:
    one, two = (opened(small(), str(tmp_path / "study.log")) for _ in range(2))

    def nested() -> Trial:
        assert two.evaluate(2, lambda: pytest.fail("over the budget"), 1) is None
        return closed_form(JOB)(small().table.row(1))

    assert one.evaluate(1, nested, 1) is not None
    assert two.evaluate(2, lambda: pytest.fail("over the budget"), 1) is None


def test_a_process_that_is_gone_is_dead_at_once() -> None:
    now = time.time()
    assert alive({"owner": owner(1), "seen_s": now})
    assert not alive({"owner": owner(2**22 + 1), "seen_s": now})
    assert alive({"owner": f"another-machine/1/{2**22 + 1}", "seen_s": now})
    assert not alive({"owner": "another-machine/1/1", "seen_s": now - workers.STALE_S - 1})


def test_a_worker_says_that_it_lives_while_it_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BEAT_S", 0.001)
    enough, beats = Event(), []

    def beat() -> None:
        beats.append(1)
        if len(beats) == 2:
            enough.set()
        raise OSError("the storage is away for a moment")

    with beating(beat):
        assert enough.wait(10)
    said = len(beats)
    assert said >= 2
    time.sleep(0.01)
    assert len(beats) == said


def test_a_study_of_other_layouts_or_another_question_is_refused(tmp_path: Path) -> None:
    storage = str(tmp_path / "study.log")
    study = opened(small(), storage, question="gpt, 8 GPUs")
    random_search(small(), Watched(), budget=3, seed=0, study=study)
    fewer = grid_from(small().table.take(slice(0, 30)))
    with pytest.raises(InputError, match="is of other layouts"):
        opened(fewer, storage, question="gpt, 8 GPUs")
    with pytest.raises(InputError, match=r"is of another question \(gpt, 8 GPUs\)"):
        opened(small(), storage, question="gpt, 16 GPUs")
    opened(fewer, storage, "another name")
    assert len(study.progress().tried) == 3


@pytest.mark.parametrize(
    "storage",
    ["", "nosuch://here", "sqlite:////no/such/folder/x.db", ".", "/no/such/folder/x.log",
     "postgresql://nobody:secret@127.0.0.1:1/none", "sqlite://\0"],
)  # fmt: skip
def test_a_storage_that_cannot_be_used(storage: str) -> None:
    with pytest.raises(InputError, match=r"cannot be used|needs a driver") as error:
        opened(small(), storage)
    assert "secret" not in str(error.value)


def test_a_password_is_not_shown() -> None:
    assert shown("postgresql://me:secret@host/db") == "'postgresql://me:***@host/db'"


@pytest.mark.parametrize("name", ["notes.txt", "notes.log"])
def test_a_file_that_is_no_study(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("not a journal\n" * 100)
    with pytest.raises(InputError, match="cannot be used"):
        opened(small(), str(path))
    assert path.read_text() == "not a journal\n" * 100


def test_a_storage_of_another_version_is_left_alone(tmp_path: Path) -> None:
    """Of Optuna's tables, or of what plan3d writes in them."""
    path = tmp_path / "study.db"
    study = opened(small(), str(path))
    random_search(small(), Watched(), budget=3, seed=0, study=study)
    with sqlite3.connect(path) as base:
        (version,) = base.execute("select version_num from alembic_version").fetchone()
        base.execute("update alembic_version set version_num = 'v99.0.0.a'")
    with pytest.raises(InputError, match="updating optuna"):
        opened(small(), str(path))
    with sqlite3.connect(path) as base:
        base.execute("update alembic_version set version_num = ?", (version,))
    assert len(opened(small(), str(path)).progress().tried) == 3


def test_a_journal_of_another_version_or_with_a_torn_line_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "study.log"
    random_search(small(), Watched(), budget=3, seed=0, study=opened(small(), str(path)))
    whole = path.read_bytes()
    for more, says in ((b'{"op_code":99,"worker_id":"x"}\n', "version of Optuna"), (b"{", "torn")):
        path.write_bytes(whole + more)
        with pytest.raises(InputError, match=says):
            opened(small(), str(path))
        assert path.read_bytes() == whole + more
    path.write_bytes(whole)
    assert len(opened(small(), str(path)).progress().tried) == 3


@pytest.mark.parametrize("content", [b"epoch 1, loss 3.2\n", b'{"loss": 3.2}\n', b"no line end"])
def test_a_file_that_is_no_journal_is_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no journal of a study"):
        opened(small(), str(path))
    assert path.read_bytes() == content


def test_a_study_of_another_format_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = str(tmp_path / "study.log")
    monkeypatch.setattr(module, "FORMAT", 2)
    opened(small(), storage)
    monkeypatch.undo()
    with pytest.raises(InputError, match="is of format 2, and this version of plan3d reads"):
        opened(small(), storage)


def test_a_storage_that_fails_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outcome is tried to be written again, and said in the end."""
    study = opened(small(), str(tmp_path / "study.db"))
    monkeypatch.setattr(module, "PAUSES_S", (0.01, 0.01))
    times = []

    def fails(*_: object) -> None:
        times.append(1)
        raise RuntimeError("invalid data") from OSError("disk full")

    monkeypatch.setattr(study._backend, "set_trial_user_attr", fails)
    with pytest.raises(InputError, match=r"any more: disk full.*time_s=7\.0"):
        study.evaluate(0, lambda: Trial(layout=small().table.row(0), time_s=7.0), 5)
    assert len(times) == 3
