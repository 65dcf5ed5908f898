"""Output files that are not text: whole or not at all, as `plan3d.cli.files` writes text."""

import os
from contextlib import suppress
from pathlib import Path

from plan3d.simulator.errors import InputError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file through a neighbour, so that no reader ever sees half of it."""
    target = path.resolve()
    try:
        if target.exists() and not target.is_file():  # /dev/null, a pipe: not ours to replace
            target.write_bytes(content)
            return
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        try:
            part.write_bytes(content)
            part.replace(target)
        finally:
            with suppress(OSError):
                part.unlink()
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
