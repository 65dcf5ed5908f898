"""plan3d doctor: what is installed, and what works."""

import json as standard_json
from dataclasses import asdict
from typing import Final

import typer

from plan3d.cli import options
from plan3d.cli.console import say
from plan3d.cli.doctor import Check, checks
from plan3d.cli.progress import doing

FAILED: Final = 1
"""Exit code where something is broken."""

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    ("What is installed, and what works", "plan3d doctor"),
    ("The same for a bug report or a program", "plan3d doctor --json"),
)


@command.command()
def run(json: options.Json = False) -> None:
    """Say what is installed and what works, and what to do about the rest.

    Looks at the libraries, the extras, the profiles, the solvers and the GPUs, and runs a search.
    The exit code is 1 where something that plan3d cannot do without is broken.
    """
    found: list[Check] = []
    with doing("looking") as told:
        for check in checks():
            found.append(check)
            told(len(found), len(found) + 1, check.name)
    broken = [check.name for check in found if check.sign == "BROKEN"]
    if json:
        values = [{**asdict(check), "sign": check.sign} for check in found]
        say(standard_json.dumps({"ok": not broken, "checks": values}, indent=2))
    else:
        _show(found, broken)
    if broken:
        raise typer.Exit(FAILED)


def _show(found: list[Check], broken: list[str]) -> None:
    """Print a line for each check under the name of its group: no library draws them."""
    say(f"Broken: {', '.join(broken)}" if broken else "All that plan3d needs works.")
    width = max(len(check.name) for check in found)
    group = ""
    for check in found:
        if check.group != group:
            group = check.group
            say(f"\n{group}")
        say(f"  {check.sign:6}  {check.name:{width}}  {check.found}")
