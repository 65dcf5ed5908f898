"""Run a command of the command line, and read what it prints."""

import json
from typing import Any

import pytest

from plan3d.cli.main import run

Capture = pytest.CaptureFixture[str]


def printed(capsys: Capture, *args: str, status: int = 0) -> str:
    """Return what a command prints."""
    assert run(args) == status
    return capsys.readouterr().out


def parsed(capsys: Capture, *args: str, status: int = 0) -> dict[str, Any]:
    """Return the object that a command prints, which must be strict JSON."""

    def refuse(text: str) -> None:
        raise AssertionError(f"not strict JSON: {text}")

    text = printed(capsys, *args, "--json", status=status)
    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return found


def refused(capsys: Capture, *args: str, status: int = 2) -> str:
    """Return what a command says on stderr where it answers nothing."""
    assert run(args) == status
    shown = capsys.readouterr()
    assert shown.out == ""
    return " ".join(shown.err.split())
