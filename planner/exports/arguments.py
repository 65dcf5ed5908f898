"""Options of a command line, by name."""

from collections.abc import Mapping
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool
Arguments: TypeAlias = Mapping[str, Value]
"""Name without dashes -> value; True is a switch that is on, False one that is left out."""


def words(arguments: Arguments) -> tuple[str, ...]:
    """Return options as the words of a command line.

    Examples
    --------
    >>> words({"num-layers": 96, "sequence-parallel": True, "swiglu": False})
    ('--num-layers', '96', '--sequence-parallel')
    """
    found: list[str] = []
    for name, value in arguments.items():
        if value is True:
            found.append(f"--{name}")
        elif value is not False:
            found += [f"--{name}", number(value)]
    return tuple(found)


def assignments(arguments: Arguments) -> tuple[str, ...]:
    """Return options as words ``--section.name=value``, and switches as tyro spells them.

    Examples
    --------
    >>> assignments({"compile.enable": False, "training.seq_len": 2048})
    ('--compile.no_enable', '--training.seq_len=2048')
    """
    found: list[str] = []
    for name, value in arguments.items():
        section, _, key = name.rpartition(".")
        if isinstance(value, bool):
            found.append(f"--{section}.{key if value else f'no_{key}'}")
        else:
            found.append(f"--{name}={number(value)}")
    return tuple(found)


def number(value: Value) -> str:
    """Write a value: a whole number without a point."""
    return format(value, "g") if isinstance(value, float) else str(value)
