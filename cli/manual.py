"""The help of every command as a manual page: options in groups, examples, exit codes.

A command's module says what is its own: the docstring of its function, `EXAMPLES` (what is asked,
and the command that asks it), and the group of an option as `rich_help_panel`.
"""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

EXIT_CODES: Final[Mapping[str, str]] = {
    "0": "done",
    "1": "a check that failed, or an internal error",
    "2": "bad usage or input",
    "3": "nothing feasible",
    "130": "interrupted",
}
ARGUMENTS: Final = "Arguments"
OUTPUT: Final = "Output"
"""The group of the options about files."""
GENERAL: Final = "Beside the answer"
"""The group of the options that every command has."""
WIDEST: Final = 100
"""A line of help is no longer on a wider terminal, either. [characters]"""


class _Command(TyperCommand):
    examples: Sequence[tuple[str, str]] = ()

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        _write_end(self.examples, formatter)


class _Group(TyperGroup):
    examples: Sequence[tuple[str, str]] = ()

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        _write_end(self.examples, formatter)


def built(module: ModuleType, name: str, common: Sequence[Any]) -> Any:
    """Return the command of a module.

    Parameters
    ----------
    module
        Has `command`, its Typer application, and `EXAMPLES`.
    name
        Of the command.
    common
        Options that it has beside its own.
    """
    application: typer.Typer = module.command
    application.info.cls = _Group
    for info in application.registered_commands:
        info.cls = _Command
    command: Any = typer.main.get_command(application)
    command.name = name
    for part in (command, *getattr(command, "commands", {}).values()):
        part.params += [p for p in common if p.rich_help_panel != OUTPUT or _writes(part)]
        part.examples = getattr(module, "EXAMPLES", ())
    return command


def _writes(command: TyperCommand) -> bool:
    """Return whether a command has an option for an output file."""
    panels = ((getattr(p, "rich_help_panel", None), p.metavar or "") for p in command.params)
    return any(panel == OUTPUT and text.startswith("FILE") for panel, text in panels)


def _write_options(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    """Write the options group by group, those that every command has at the end."""
    groups: dict[str, list[tuple[str, str]]] = {ARGUMENTS: []}
    last: list[tuple[str, str]] = []
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is None:
            continue
        panel = getattr(param, "rich_help_panel", None)
        if panel == GENERAL or param.name == "help":
            last.append(record)
        else:
            usual = "Options" if param.param_type_name == "option" else ARGUMENTS
            groups.setdefault(panel or usual, []).append(record)
    for title, records in [*groups.items(), (GENERAL, last)]:
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def _write_end(examples: Sequence[tuple[str, str]], formatter: Any) -> None:
    """Write examples and exit codes: a command is never broken into lines."""
    if examples:
        with formatter.section("Examples"):
            for asked, command in examples:
                formatter.write_text(f"{asked}:")
                formatter.write(f"{'':>{formatter.current_indent + 4}}{command}\n")
    write_exit_codes(formatter)


def write_exit_codes(formatter: Any) -> None:
    """Write what the exit codes mean."""
    with formatter.section("Exit codes"):
        formatter.write_dl(list(EXIT_CODES.items()))
