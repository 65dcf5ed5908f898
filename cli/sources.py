"""Text that a user points at: a file, or stdin."""

import sys
from pathlib import Path

from plan3d.simulator.errors import InputError

LARGEST_BYTES = 2**24
"""A larger file is no plan and no configuration."""


def is_file(name: str) -> bool:
    """Return whether a text is the name of a file: a launch command may be too long for one."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def read_source(name: str, what: str) -> str:
    """Return the text of a file, or of stdin for ``-``.

    Raises
    ------
    InputError
        If it cannot be read, is no text, or is too large.
    """
    try:
        if name == "-":
            data = sys.stdin.buffer.read(LARGEST_BYTES + 1)
        else:
            path = Path(name)
            if not path.is_file():
                raise InputError(f"there is no file {name}; {what} is needed, or - for stdin")
            with path.open("rb") as file:
                data = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} cannot be read: {error}") from error
    if len(data) > LARGEST_BYTES:
        raise InputError(f"{name} is larger than 16 MiB, so it is not {what}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not text in UTF-8") from error
