import io
import sys

import pytest

from plan3d.cli.render import show_table
from plan3d.cli.report import Table

TABLE = Table(title="Title", head=("name", "n"), rows=(("[bold]a", "1"), ("b", "22")))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    stream = Terminal()
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", stream)
    return stream


def test_a_terminal_gets_a_drawn_table(terminal: Terminal) -> None:
    show_table(TABLE)
    assert "\x1b[1mTitle" in terminal.getvalue()
    assert "[bold]a" in terminal.getvalue()


def test_no_color_means_no_escapes(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    show_table(TABLE)
    assert "\x1b" not in terminal.getvalue()
    assert "Title" in terminal.getvalue()


def test_a_dumb_terminal_gets_text(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    show_table(TABLE)
    assert terminal.getvalue() == "Title\nname      n\n[bold]a   1\nb        22\n"


def test_a_pipe_gets_text(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(TABLE)
    assert capsys.readouterr().out == "Title\nname      n\n[bold]a   1\nb        22\n"
