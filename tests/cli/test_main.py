"""The command line as a whole: exit codes, streams, start-up."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from plan3d.cli import main
from plan3d.simulator.errors import InputError, NothingFeasibleError

HEAVY = ("numpy", "pandas", "scipy", "pulp", "optuna", "matplotlib", "jinja2")


def process(*args: str, code: str = "from plan3d.cli.main import app; app()") -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr, done.returncode


def test_help_loads_no_library() -> None:
    code = f"""
import sys
from plan3d.cli.main import run
status = run(["--help"])
print([name for name in {HEAVY} if name in sys.modules], status)
"""
    output, status = process(code=code)
    assert status == 0
    assert "search" in output
    assert output.splitlines()[-1] == "[] 0"


def test_the_face_loads_nothing_until_it_is_used() -> None:
    output, _ = process(code="import sys, plan3d; print('numpy' in sys.modules, plan3d.InputError)")
    assert output == "False <class 'plan3d.simulator.errors.InputError'>\n"


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "plan3d.cli", "--version"], capture_output=True, check=False
    )
    assert done.stdout.startswith(b"plan3d ")
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["serach"], "no command 'serach'; did you mean search or schema?"),
        (["--foo"], "--foo"),
        (["search", "--gpus", "8"], "--model"),
        (["search", "--model", "gpt175b", "--gpus", "1.5"], "'1.5' is not a whole number"),
        (["search", "--model", "gpt175b", "--gpus", "-1"], "'-1' is not a whole number"),
        (["search", "--model", "gpt175b", "--gpus", "0"], "'0' is not a whole number"),
        (["search", "--model", "gpt175b", "--gpus", "1e99"], "'1e99' is not a whole number"),
    ],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], args: list[str], message: str) -> None:
    assert main.run(args) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err


def failing(error: BaseException) -> Callable[..., None]:
    def commands(*_: object, **__: object) -> None:
        raise error

    return commands


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (InputError("gpus is 0"), 2, "plan3d: gpus is 0\n"),
        (NothingFeasibleError("nothing fits"), 3, "plan3d: nothing fits\n"),
        (KeyboardInterrupt(), 130, ""),
        (
            ZeroDivisionError("a\nb"),
            1,
            "plan3d: internal error: ZeroDivisionError: a (PLAN3D_DEBUG=1 shows where)\n",
        ),
        (SystemExit(0), 0, ""),
    ],
)
def test_exceptions_become_exit_codes(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    message: str,
) -> None:
    monkeypatch.delenv("PLAN3D_DEBUG", raising=False)
    monkeypatch.setattr(main, "commands", failing(error))
    assert main.run([]) == status
    assert capsys.readouterr().err == message


def test_a_traceback_only_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAN3D_DEBUG", "1")
    monkeypatch.setattr(main, "commands", failing(ZeroDivisionError()))
    assert main.run([]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_has_gone_is_no_error(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    code = "from plan3d.cli.console import say; [say('x' * 10000) for _ in range(100)]"
    with (tmp_path / "errors").open("w+") as errors, os.fdopen(write, "w") as pipe:
        done = subprocess.run([sys.executable, "-c", code], stdout=pipe, stderr=errors, check=False)
        errors.seek(0)
        assert (done.returncode, errors.read()) == (0, "")


def test_control_characters_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main.say("a\x1b[31mb")
    assert capsys.readouterr().out == "a?[31mb\n"
