"""What a shell completes, asked as the shells ask."""

import os
import subprocess
import sys

import pytest

from plan3d.cli import completion, main

HEAVY = ("pandas", "scipy", "pulp", "optuna", "matplotlib", "jinja2", "torch")
CODE = f"""
import atexit, sys
def loaded():
    print(*(name for name in ("numpy", *{HEAVY}) if name in sys.modules), file=sys.stderr)
atexit.register(loaded)
from plan3d.cli.main import app
app()
"""


def offered(line: str) -> tuple[list[str], list[str]]:
    """What bash offers at the end of a line, and the libraries that it took."""
    words = line.split(" ")
    asked = {
        "_PLAN3D_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=os.environ | asked, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout.split(), done.stderr.split()


def test_commands_are_completed_without_a_library() -> None:
    words, loaded = offered("plan3d ")
    assert words == list(main.COMMANDS)
    assert loaded == []
    assert offered("plan3d se") == (["search"], [])


def test_values_are_completed_without_a_heavy_library() -> None:
    words, loaded = offered("plan3d search --model llama-3-")
    assert words == ["llama-3-8b", "llama-3-70b"]
    assert not set(loaded) & set(HEAVY)


def test_no_command_loads_a_heavy_library_before_it_runs() -> None:
    code = f"""
import sys
from plan3d.cli.main import COMMANDS, run
status = {{run([name, "--help"]) for name in COMMANDS}}
print(status, [name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "{0} []"


def test_options_are_completed() -> None:
    assert offered("plan3d search --pr")[0] == [
        "--precision", "--price", "--prefer-safe"
    ]  # fmt: skip


def test_a_command_that_there_is_not_is_no_message() -> None:
    assert offered("plan3d serach --m") == ([], [])


@pytest.mark.parametrize(
    ("complete", "start", "wanted"),
    [
        (completion.models, "gpt17", ["gpt175b"]),
        (completion.clusters, "dgx-h", ["dgx-h100", "dgx-h200"]),
        (completion.frameworks, "torch", ["torchtitan"]),
        (completion.objectives, "", ["time", "cost", "memory", "tokens-per-dollar", "pareto"]),
        (completion.optimizers, "ada", ["adam", "adam8bit", "adafactor", "adagrad"]),
        (completion.precisions, "bf", ["bf16"]),
        (completion.schedules, "dual", ["dualpipe", "dualpipe_v"]),
        (completion.axes, "v", ["vpp="]),
        (completion.axes, "tp=8,c", ["tp=8,cp=", "tp=8,cp_all_to_all="]),
        (completion.one_of("dp", "ilp"), "i", ["ilp"]),
        (completion.one_of("dp", "ilp"), "x", []),
    ],
)
def test_values(complete: completion.Completer, start: str, wanted: list[str]) -> None:
    found = complete(start)
    assert sorted(found) == sorted(word for word in found if word.startswith(start))
    assert set(wanted) <= set(found)
    assert bool(found) == bool(wanted)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_ask(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "plan3d.cli", "--show-completion", shell],
        env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"_PLAN3D_COMPLETE=complete_{shell}" in done.stdout
