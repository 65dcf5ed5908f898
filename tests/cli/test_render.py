import io
import sys

import pytest

from plan3d.cli.render import show_table
from plan3d.cli.report import Table

TABLE = Table(title="Title", head=("name", "n"), rows=(("[bold]a", "1"), ("b", "22")))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Terminal:
    """Return a terminal that is stdout from now on."""
    stream = Terminal()
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm"} | environment).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", stream)
    return stream


def test_a_terminal_gets_a_drawn_table(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    show_table(TABLE)
    assert "\x1b[1mTitle" in stream.getvalue()
    assert "[bold]a" in stream.getvalue()


def test_no_color_means_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch, NO_COLOR="1")
    show_table(TABLE)
    assert "\x1b" not in stream.getvalue()
    assert "Title" in stream.getvalue()


def test_a_dumb_terminal_gets_text(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch, TERM="dumb")
    show_table(TABLE)
    assert stream.getvalue() == "Title\nname      n\n[bold]a   1\nb        22\n"


def test_a_pipe_gets_text(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(TABLE)
    assert capsys.readouterr().out == "Title\nname      n\n[bold]a   1\nb        22\n"
