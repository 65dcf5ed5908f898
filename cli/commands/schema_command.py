"""plan3d schema: what the JSON of a command looks like, for programs that read it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final

import typer

from plan3d.cli import as_json, completion
from plan3d.cli.console import say
from plan3d.cli.json_fields import FULL, SEARCH, schema
from plan3d.cli.json_others import OTHERS, other
from plan3d.simulator.errors import unknown

SCHEMAS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "search": lambda: schema("search", SEARCH),
    "estimate": lambda: schema("search", SEARCH),
    "report": lambda: schema("report", {**SEARCH, **FULL}),
    **{name: partial(other, name) for name in OTHERS},
}
"""Of the commands, and of `--report FILE.json`."""

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    ("Of a search and of an estimate", "plan3d schema search"),
    ("Of a full report, --report FILE.json", "plan3d schema report"),
)


@command.command()
def run(
    name: Annotated[
        str,
        typer.Argument(
            metavar="COMMAND",
            help=", ".join(SCHEMAS),
            autocompletion=completion.one_of(*SCHEMAS),
        ),
    ] = "search",
) -> None:
    """Print the JSON Schema (draft 2020-12) of what a command prints as JSON."""
    if name not in SCHEMAS:
        raise unknown("schema", name, SCHEMAS)
    say(as_json.dumps(SCHEMAS[name]()))
