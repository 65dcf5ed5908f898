"""README.md: its commands work and its library example says what happens."""

import doctest
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from plan3d.cli.main import run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(
    set(re.findall(r"`plan3d ([^`\n]+)`", README))
    | set(re.findall(r"^\$ plan3d (.+)$", README, re.MULTILINE))
)
SHOWN = re.findall(r"^```console\n\$ plan3d (.*)\n([\s\S]*?)^```$", README, re.MULTILINE)


def after(marker: str) -> str:
    """The one line of the code block that follows a marker."""
    found = re.search(rf"<!-- {marker} -->\n```bash\n(.+)\n```\n", README)
    assert found, marker
    return found[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    own = re.search(r"```toml\n(.*?)```", README.replace("\n  ", "\n"), re.DOTALL)
    assert own
    (tmp_path / "my.toml").write_text(own[1], encoding="utf-8")
    others(tmp_path, command)
    wanted = 0
    if command.startswith(("calibrate", "check")):
        torch = pytest.importorskip("torch")
        wanted = 0 if torch.cuda.is_available() or "--device cpu" in command else 2
    assert run(shlex.split(command.replace("my.toml", str(tmp_path / "my.toml")))) == wanted


def others(folder: Path, command: str) -> None:
    """Write the files that a command of the page has from one before it, or from the user."""
    (folder / "launch.sh").write_text("#!/bin/sh\necho '{\"step_time_s\": 1.25}'\n")
    (folder / "launch.sh").chmod(0o755)
    made = {
        "plan.json": "estimate --model gpt13b --gpus 8 --layout tp=8 --report plan.json",
        "run.sh": "export --model gpt13b --gpus 8 --layout tp=8 --to megatron --out run.sh",
    }
    for name, first in made.items():
        if name in command and f"--out {name}" not in command:
            assert run(shlex.split(first)) == 0


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_what_it_prints_has_the_lines_shown(
    command: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shlex.split(command))
    printed = words(capsys.readouterr().out)
    assert words(shown) - {"..."} <= printed


def words(text: str) -> set[str]:
    """The lines without a figure: headings, which stay when a constant moves."""
    return {line.strip() for line in text.splitlines() if not re.search(r"\d", line)}


def test_the_library_example_says_what_happens() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    example = doctest.DocTestParser().get_doctest(code, {}, "README.md", "README.md", 0)
    assert len(example.examples) > 5
    assert doctest.DocTestRunner().run(example).failed == 0


def test_the_first_command_installs_and_searches() -> None:
    setup, install, search = after("search").split(" && ")
    assert setup == "python3 -m venv .venv"
    assert install == ".venv/bin/pip install -q ."
    assert search == ".venv/bin/plan3d search --model gpt175b --gpus 1024"


def test_ci_calls_the_second_command() -> None:
    assert after("tests").startswith("python3 ")  # what .ci/run looks for after the marker
    assert "<!-- tests -->" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_python_is_as_old_as_the_package_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"Python {project['requires-python'].removeprefix('>=')} or later" in README
