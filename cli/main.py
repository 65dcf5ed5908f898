"""The plan3d command, and the one place where exceptions become exit codes.

A command's module is imported when the command runs, so `plan3d --help` loads no library.
"""

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from plan3d.cli.console import say
from plan3d.simulator.errors import InputError, NothingFeasibleError, unknown

COMMANDS: Final[Mapping[str, str]] = {
    "search": "Find the best layouts of a model on a number of GPUs.",
    "estimate": "Predict time and memory of one layout.",
    "partition": "Find the best layers of each pipeline stage of one layout.",
    "timeline": "Play one layout's pipeline: when every rank computes, and why it waits.",
    "plot": "Draw one figure into a file: SVG, PNG or PDF.",
    "schema": "Print the JSON Schema of what a command prints as JSON.",
    "scale": "Find the best layout for each of several numbers of GPUs.",
    "size": "Find the fewest GPUs that meet a deadline or a budget.",
    "compare": "Compare layouts, plans or hardware term by term.",
    "advise": "Say what to change in a layout, in order of gain.",
    "cost": "Say what a whole run takes: days, dollars, energy, failures; and how it decodes.",
    "optimal": "Find the compute-optimal model for a budget.",
    "models": "List the models that plan3d knows, or show one.",
    "hardware": "List the clusters that plan3d knows, or show one.",
    "validate": "Compare predictions with measured runs.",
    "calibrate": "Measure this machine, or fit measurements: a hardware profile.",
    "check": "Predict whole training steps, and measure them on this machine's GPU.",
}
"""Name and summary of every command: its module is `plan3d.cli.NAME_command`."""


class _Lazy(TyperGroup):
    """A group that imports the module of a command only to run it."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            raise unknown("command", cmd_name, COMMANDS)
        return typer.main.get_command(import_module(f"plan3d.cli.{cmd_name}_command").command)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


commands = typer.Typer(
    cls=_Lazy,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 internal error, 2 bad input, 3 nothing feasible.",
)


def _version(wanted: bool) -> None:
    if wanted:
        version = import_module("plan3d").__version__
        say(f"plan3d {version}")
        raise typer.Exit


@commands.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Plan the layout of an LLM training run: will it fit, how fast, at what cost.

    Start with: plan3d search --model gpt175b --gpus 1024
    """


def run(args: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code of the process."""
    try:
        commands(args, prog_name="plan3d")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except (InputError, NothingFeasibleError) as error:
        say(f"plan3d: {error}", error=True)
        return 2 if isinstance(error, InputError) else 3
    except KeyboardInterrupt:
        return 130
    except OSError as error:  # stdout on a full disk
        with suppress(OSError):
            say(f"plan3d: cannot write the answer: {error.strerror}", error=True)
        return 1
    except Exception as error:
        if os.environ.get("PLAN3D_DEBUG") == "1":
            traceback.print_exc()
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        say(f"plan3d: internal error: {text} (PLAN3D_DEBUG=1 shows where)", error=True)
        return 1
    return 0


def app() -> None:
    """Run the command line of this process."""
    sys.exit(run())
