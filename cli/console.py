"""Where text leaves the program: data to stdout, messages to stderr."""

import os
import sys


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


def draws() -> bool:
    """Return whether stdout is a terminal that draws tables."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
