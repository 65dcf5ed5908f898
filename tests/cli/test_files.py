import os
from pathlib import Path

import pytest

from plan3d.cli import files
from plan3d.simulator.errors import InputError


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "plans.csv"
    path.write_text("old")
    files.write(path, "new\n")
    assert path.read_text() == "new\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "plans.csv", tmp_path / "link.csv"
    link.symlink_to(path)
    files.write(link, "new\n")
    assert link.is_symlink()
    assert path.read_text() == "new\n"


def test_a_loop_of_links_is_replaced(tmp_path: Path) -> None:
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)
    files.check(loop)
    files.write(loop, "new\n")
    assert loop.read_text() == "new\n"
    assert list(tmp_path.iterdir()) == [loop]


def test_a_device_is_written_to_not_replaced() -> None:
    files.write(Path(os.devnull), "text")
    assert not Path(os.devnull).is_file()


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plans.csv"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match="No space left on device"):
        files.write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_places_that_cannot_be_written_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no directory"):
        files.check(tmp_path / "missing" / "plans.csv")
    with pytest.raises(InputError, match="is a directory"):
        files.check(tmp_path)
    with pytest.raises(InputError, match="two outputs"):
        files.check(tmp_path / "a", tmp_path / "a")
    with pytest.raises(InputError, match="cannot write"):
        files.check(tmp_path / ("long" * 100))
    files.check(None, tmp_path / "plans.csv")
