"""Help: a page for every command, whose examples are commands that work."""

import inspect
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from plan3d.cli import main, manual

MODULES = {name: import_module(f"plan3d.cli.commands.{name}_command") for name in main.COMMANDS}
EXAMPLES = [command for module in MODULES.values() for _, command in module.EXAMPLES]
DEAR = ("calibrate", "check", "validate", "doctor", "./")
"""Examples that want a GPU, files, a launcher or a second: they are parsed only."""

Capture = pytest.CaptureFixture[str]


def parsed(command: Any, args: list[str], parent: Any = None) -> Any:
    """Parse arguments as the command line does, and run nothing."""
    context = command.make_context("plan3d", args, parent=parent)
    rest = [*getattr(context, "_protected_args", []), *context.args]
    if not (rest and hasattr(command, "resolve_command")):
        return context
    _, inner, rest = command.resolve_command(context, rest)
    return parsed(inner, rest, context)


def arguments(example: str) -> list[str]:
    words = shlex.split(example)
    if words[0] == "torchrun":
        return words[words.index("plan3d.cli") + 1 :]
    assert words[0] == "plan3d"
    return words[1:]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_command_line(example: str) -> None:
    parsed(typer.main.get_command(main.commands), arguments(example))


def test_what_is_no_command_line_is_found_out() -> None:
    with pytest.raises(Exception, match="--modl"):
        parsed(typer.main.get_command(main.commands), ["search", "--modl", "gpt13b"])


@pytest.mark.parametrize(
    "example", [line for line in EXAMPLES if not any(word in line for word in DEAR)]
)
def test_an_example_works(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    assert main.run(arguments(example)) == 0


@pytest.mark.parametrize("name", MODULES)
def test_a_page(name: str, capsys: Capture) -> None:
    assert main.run([name, "--help"]) == 0
    page = capsys.readouterr().out
    module = MODULES[name]
    function = getattr(module, "run", None) or module.listed
    said = " ".join((inspect.getdoc(function) or "").split())
    assert said in " ".join(page.split()), "the page begins with what the command answers"
    assert len(module.EXAMPLES) >= 2
    for asked, command in module.EXAMPLES:
        assert f"{asked}:\n      {command}\n" in page
    for code, meaning in manual.EXIT_CODES.items():
        assert f"{code:5}{meaning}" in page
    assert "-q, --quiet" in page
    assert "--help" in page


def test_options_stand_in_their_groups(capsys: Capture) -> None:
    main.run(["search", "-h"])
    page = capsys.readouterr().out
    headings = [line for line in page.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == [
        "The question:", "The layouts:", "The whole run:", "The search:", "Searchers that sample:",
        "Output:", f"{manual.GENERAL}:", "Examples:", "Exit codes:",
    ]  # fmt: skip
    output = page.partition("Output:")[2].partition(manual.GENERAL)[0]
    assert [word for word in output.split() if word.startswith("--")] == [
        "--json", "--csv", "--report", "--force"
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"validate", "check"}))
def test_no_option_is_left_without_a_group_and_arguments_come_first(
    name: str, capsys: Capture
) -> None:
    main.run([name, "-h"])
    page = capsys.readouterr().out
    headings = [line for line in page.splitlines() if line.endswith(":") and line[0] != " "]
    assert "Options:" not in headings
    assert "Arguments:" not in headings[1:]


def test_force_is_for_commands_that_write(capsys: Capture) -> None:
    for name in set(MODULES):
        main.run([name, "--help"])
        source = Path(MODULES[name].__file__ or "").read_text(encoding="utf-8")
        refuses = "files.new(" in source or "import check, deliver" in source
        assert ("--force" in capsys.readouterr().out) == refuses, name


def test_a_command_of_a_command_has_a_page(capsys: Capture) -> None:
    assert main.run(["models", "show", "--help"]) == 0
    page = capsys.readouterr().out
    assert "A name, a config.json, or" in page.partition("Arguments:")[2]
    assert "plan3d models show llama-3-70b" in page
