"""Studies that go on after a stop."""

from pathlib import Path

import pytest

from plan3d.planner.searchers.bayesian import Bayesian
from plan3d.planner.searchers.boxes import closed_form
from plan3d.planner.searchers.grid import grid_from
from plan3d.planner.searchers.protocols import Trial
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout
from tests.planner.searchers.spaces import JOB, Watched, small


class KilledError(BaseException):
    """What no searcher catches."""


def storage_in(folder: Path, kind: str) -> str:
    return f"sqlite:///{folder}/study.db" if kind == "sqlite" else str(folder / "study.log")


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_killed_study_loses_only_the_trial_in_flight(tmp_path: Path, kind: str) -> None:
    searcher = Bayesian(storage=storage_in(tmp_path, kind))
    before, after = Watched(), Watched()

    def box(layout: Layout, /) -> Trial:
        if len(before.asked) == 8:
            raise KilledError
        return before(layout)

    with pytest.raises(KilledError):
        searcher(small(), box, budget=20, seed=0)
    found = searcher(small(), after, budget=20, seed=0)
    assert [t.layout for t in found.trials[:8]] == list(before.asked)
    assert found.evaluations == 20
    assert len(after.asked) == 12
    assert not before.asked & after.asked
    box_s = closed_form(JOB)
    assert all(t == box_s(t.layout) for t in found.trials if t.ok)


def test_a_spent_study_asks_nothing_more(tmp_path: Path) -> None:
    searcher = Bayesian(storage=storage_in(tmp_path, "journal"))
    once = searcher(small(), Watched(), budget=6, seed=0)
    again = Watched()
    assert searcher(small(), again, budget=6, seed=0) == once
    assert not again.asked


def test_a_study_of_other_layouts_is_refused(tmp_path: Path) -> None:
    searcher = Bayesian(storage=storage_in(tmp_path, "journal"))
    searcher(small(), Watched(), budget=3, seed=0)
    fewer = grid_from(small().table.take(slice(0, 30)))
    with pytest.raises(InputError, match="is of other layouts"):
        searcher(fewer, Watched(), budget=3, seed=0)


@pytest.mark.parametrize("storage", ["", "nosuch://here", "sqlite:////no/such/folder/x.db", "."])
def test_a_storage_that_cannot_be_used(storage: str) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        Bayesian(storage=storage)(small(), Watched(), budget=3, seed=0)


def test_a_file_that_is_no_study(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a journal\n")
    with pytest.raises(InputError, match="cannot be used"):
        Bayesian(storage=str(path))(small(), Watched(), budget=3, seed=0)
