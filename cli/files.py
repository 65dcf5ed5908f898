"""Output files: whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from plan3d.cli.console import detail, manner
from plan3d.simulator.errors import InputError


def check(*paths: Path | None) -> None:
    """Refuse output paths that cannot be written, before the work starts."""
    for path in (path.absolute() for path in paths if path is not None):
        try:
            _check(path)
        except OSError as error:  # a name too long
            raise InputError(f"cannot write {path}: {error.strerror}") from error
    apart(*paths)


def apart(*paths: Path | None) -> None:
    """Refuse two outputs in one file."""
    seen: set[Path] = set()
    for path in (_real(path) for path in paths if path is not None):
        if path in seen:
            raise InputError(f"two outputs would go to {path}; give each its own file")
        seen.add(path)


def new(*paths: Path | None) -> None:
    """Refuse output paths that cannot be written, or are there already, unless --force."""
    check(*paths)
    for path in paths:
        if path is not None and path.is_file() and not manner().replaces:
            raise InputError(f"{path} exists already; give --force to replace it, or another name")


def _check(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a directory; give the name of a file")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no directory {path.parent}")
    if path.is_file() or not path.exists():
        part = _part(_real(path))
        part.touch()
        part.unlink()


def _real(path: Path) -> Path:
    """Return where links lead; of a loop of links, the first."""
    return Path(os.path.realpath(path))


def _part(path: Path) -> Path:
    """Return the name under which a file is written until it is whole."""
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def write(path: Path, content: str | bytes) -> None:
    """Write a file through a neighbour, so that no reader ever sees half of it."""
    target = _real(path)
    data = content.encode() if isinstance(content, str) else content
    try:
        if target.exists() and not target.is_file():  # /dev/null, a pipe: not ours to replace
            target.write_bytes(data)
            return
        part = _part(target)
        try:
            part.write_bytes(data)
            part.replace(target)
        finally:
            with suppress(OSError):
                part.unlink()
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    detail(f"{path}: {len(data):,} bytes written")
