"""The plan3d command, and the one place where exceptions become exit codes.

A command's module is imported when the command runs, so `plan3d --help` loads no library.
"""

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from time import perf_counter
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from plan3d.cli.completion import Word
from plan3d.cli.console import behave, detail, manner, say, start
from plan3d.cli.manual import GENERAL, OUTPUT, WIDEST, built, write_exit_codes
from plan3d.simulator.errors import InputError, NothingFeasibleError, unknown

COMMANDS: Final[Mapping[str, str]] = {
    "search": "Find the best layouts of a model on a number of GPUs.",
    "estimate": "Predict time and memory of one layout.",
    "partition": "Find the best layers of each pipeline stage of one layout.",
    "timeline": "Play one layout's pipeline: when every rank computes, and why it waits.",
    "tune": "Find the fastest layout by running your own launcher.",
    "plot": "Draw one figure into a file: SVG, PNG or PDF.",
    "schema": "Print the JSON Schema of what a command prints as JSON.",
    "scale": "Find the best layout for each of several numbers of GPUs.",
    "size": "Find the fewest GPUs that meet a deadline or a budget.",
    "compare": "Compare layouts, plans or hardware term by term.",
    "advise": "Say what to change in a layout, in order of gain.",
    "cost": "Say what a whole run takes: days, dollars, energy, failures; and how it decodes.",
    "optimal": "Find the compute-optimal model for a budget.",
    "export": "Write a plan as the flags or the configuration of a framework.",
    "import": "Read the layout of a job from its launch command or configuration.",
    "models": "List the models that plan3d knows, or show one.",
    "hardware": "List the clusters that plan3d knows, or show one.",
    "validate": "Compare predictions with measured runs.",
    "calibrate": "Measure this machine, or fit measurements: a hardware profile.",
    "check": "Predict whole training steps, and measure them on this machine's GPU.",
    "doctor": "Say what is installed and what works, and what to do about the rest.",
}
"""Name and summary of every command: its module is `plan3d.cli.commands.NAME_command`."""


class _Lazy(TyperGroup):
    """A group that imports the module of a command only to run it."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS and ctx.resilient_parsing:  # a shell completes: no messages
            return None
        if cmd_name not in COMMANDS:
            raise unknown("command", cmd_name, COMMANDS)
        common = [param for param in self.params if param.name in ("quiet", "verbose", "force")]
        return built(import_module(f"plan3d.cli.commands.{cmd_name}_command"), cmd_name, common)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            Word(value=name, help=summary)
            for name, summary in COMMANDS.items()
            if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        write_exit_codes(formatter)


commands = typer.Typer(
    cls=_Lazy,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": WIDEST},
)


def _version(wanted: bool) -> None:
    if wanted:
        version = import_module("plan3d").__version__
        say(f"plan3d {version}")
        raise typer.Exit


def _force(wanted: bool) -> None:
    if wanted:
        behave(replaces=True)


def _quiet(wanted: bool) -> None:
    if wanted and manner().details:
        raise typer.BadParameter("--quiet and --verbose contradict; give one of them")
    if wanted:
        behave(notes=False, bars=False)


def _verbose(wanted: bool) -> None:
    if wanted and not manner().notes:
        raise typer.BadParameter("--quiet and --verbose contradict; give one of them")
    if wanted:
        behave(details=True)


@commands.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            callback=_quiet,
            expose_value=False,
            rich_help_panel=GENERAL,
            help="Only the answer and errors: no notes, no progress.",
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            callback=_verbose,
            expose_value=False,
            rich_help_panel=GENERAL,
            help="Say on stderr what is being done, with which files, in what time.",
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            callback=_force,
            expose_value=False,
            rich_help_panel=OUTPUT,
            help="Replace output files that exist.",
        ),
    ] = False,
) -> None:
    """Plan the layout of an LLM training run: will it fit, how fast, at what cost.

    Start with: plan3d search --model gpt175b --gpus 1024

    Every command explains itself: plan3d COMMAND --help. Whether all is in place: plan3d doctor.
    """


def run(args: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code of the process."""
    start()
    started_s = perf_counter()
    status = _status(args)
    detail(f"exit code {status} after {perf_counter() - started_s:.3f} s")
    return status


def _status(args: Sequence[str] | None) -> int:
    """Run a command; every exception becomes a message and an exit code."""
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
