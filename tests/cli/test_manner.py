"""--quiet and --verbose: what is said beside the answer, and that the answer stays the same."""

import re
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from plan3d.cli import console, main
from plan3d.cli.progress import doing

ASKED = ["search", "--model", "gpt125m", "--gpus", "8"]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _usual_manner() -> Iterator[None]:
    console.start()
    yield
    console.start()


def said(capsys: Capture, *args: str) -> tuple[str, str]:
    assert main.run(args) == 0
    shown = capsys.readouterr()
    return re.sub(r"in \d+(\.\d+)? m?s$", "", shown.out, flags=re.MULTILINE), shown.err


@pytest.mark.parametrize("option", ["--quiet", "-q", "--verbose", "-v"])
def test_the_answer_is_the_same_wherever_the_option_stands(capsys: Capture, option: str) -> None:
    answer, beside = said(capsys, *ASKED)
    assert beside == ""
    before, after = said(capsys, option, *ASKED), said(capsys, *ASKED, option)
    assert before[0] == after[0] == answer
    assert bool(before[1]) == bool(after[1]) == ("v" in option)


def test_verbose_names_what_is_used_what_is_done_and_what_is_written(
    capsys: Capture, tmp_path: Path
) -> None:
    table = tmp_path / "plans.csv"
    _, beside = said(capsys, *ASKED, "--csv", str(table), "--verbose")
    lines = beside.splitlines()
    assert all(line.startswith("plan3d: ") for line in lines)
    assert any(line.startswith("plan3d: model gpt125m: arXiv:") for line in lines)
    assert any(re.search(r"cluster \S+, digest [0-9a-f]{12}", line) for line in lines)
    assert any(re.search(r"looking at every layout: \d+\.\d{3} s$", line) for line in lines)
    assert f"plan3d: {table}: {table.stat().st_size:,} bytes written" in lines
    assert re.fullmatch(r"plan3d: exit code 0 after \d+\.\d{3} s", lines[-1])


def test_one_command_does_not_teach_the_next(capsys: Capture) -> None:
    assert said(capsys, *ASKED, "--verbose")[1]
    assert said(capsys, *ASKED)[1] == ""


@pytest.mark.parametrize("args", [["-q", *ASKED, "-v"], [*ASKED, "-q", "-v"], ["-v", *ASKED, "-q"]])
def test_both_contradict(capsys: Capture, args: list[str]) -> None:
    assert main.run(args) == 2
    assert "--quiet and --verbose contradict" in capsys.readouterr().err


def test_notes_are_for_those_who_want_them(capsys: Capture) -> None:
    console.note("a row is odd")
    console.behave(notes=False)
    console.note("another")
    assert capsys.readouterr().err == "plan3d: a row is odd\n"


def test_notes_of_a_command_are_silenced_and_errors_are_not(
    capsys: Capture, tmp_path: Path
) -> None:
    with resources.files("plan3d.planner.validation").joinpath("published.csv").open() as file:
        head, first, second = (next(file) for _ in range(3))
    runs = tmp_path / "runs.csv"
    runs.write_text(head + first + second.replace(second.partition(",")[0], "", 1))
    answer, beside = said(capsys, "validate", "--runs", str(runs))
    assert re.fullmatch("plan3d: .*row 3.*\n", beside)
    assert said(capsys, "validate", "--runs", str(runs), "-q") == (answer, "")
    assert main.run(["-q", *ASKED, "--fix", "tq=8"]) == 2
    assert "did you mean tp" in capsys.readouterr().err


class Terminal:
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal; no fixture, as pytest sets its own streams after those."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    return stream


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    with doing("counting [bold]") as told:
        told(1, 4, "one")
    assert "counting [bold]: one" in stream.text
    assert "25%" in stream.text


@pytest.mark.parametrize("option", ["--json", "--quiet"])
def test_no_bar_beside_json_nor_when_quiet(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    stream = terminal(monkeypatch)
    assert main.run(ASKED) == 0
    assert "looking at every layout" in stream.text
    stream.text = ""
    assert main.run([*ASKED, option]) == 0
    assert stream.text == ""


def test_no_bar_on_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    with doing("counting") as told:
        told(1, 4)
    assert stream.text == ""


def test_another_process_speaks_for_this_one(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    stream = terminal(monkeypatch)
    console.behave(details=True)
    with doing("counting", here=False) as told:
        told(1, 4)
    assert stream.text == capsys.readouterr().err == ""
