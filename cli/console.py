"""Where text leaves the program: the answer to stdout, all else to stderr, as much as is wanted."""

import os
import sys
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How much is said beside the answer and errors."""

    notes: bool = True
    """What the user should know but did not ask for. Not with --quiet."""
    details: bool = False
    """What is being done, with which files, in what time. With --verbose."""
    bars: bool = True
    """Bars while something takes long. Not with --quiet, nor with --json."""
    replaces: bool = False
    """Output files that exist are replaced. With --force."""


_manner: ContextVar[Manner] = ContextVar("manner", default=Manner())  # noqa: B039  # frozen


def start() -> None:
    """Begin a command: nothing has been said about the manner yet."""
    _manner.set(Manner())


def behave(**changes: bool) -> None:
    """Change the manner for the rest of the command."""
    _manner.set(replace(_manner.get(), **changes))


def manner() -> Manner:
    """Return how much this command says beside its answer."""
    return _manner.get()


def say(text: str, *, error: bool = False) -> None:
    """Write one message; control characters of names and files never reach the terminal.

    A reader that has gone (``plan3d models | head``) ends the program quietly.
    """
    stream = sys.stderr if error else sys.stdout
    clean = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(clean.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()
    except BrokenPipeError:
        # What is still buffered would fail again when the interpreter closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if not error:
            sys.exit(0)


def note(text: str) -> None:
    """Say what the user should know beside the answer, unless --quiet."""
    if manner().notes:
        say(f"plan3d: {text}", error=True)


def detail(text: str) -> None:
    """Say what is being done, if --verbose."""
    if manner().details:
        say(f"plan3d: {text}", error=True)


def draws() -> bool:
    """Return whether stdout is a terminal that draws tables."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def draws_bars() -> bool:
    """Return whether stderr is a terminal that draws bars, and they are wanted."""
    return manner().bars and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
