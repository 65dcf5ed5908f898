"""Generations of training software, by name."""

from functools import cache

from plan3d.hardware_profiles.build import build
from plan3d.hardware_profiles.parts import part_names, shipped
from plan3d.hardware_profiles.tree import Row, rows
from plan3d.simulator.software import Software


def software_names() -> tuple[str, ...]:
    """Return the names of the software generations that ship with plan3d."""
    return part_names("software")


@cache
def software(name: str) -> Software:
    """Return a software generation by name.

    Examples
    --------
    >>> software("megatron-core").scatter_gather
    True
    """
    return build(Software, shipped("software", name))


def describe_software(name: str) -> list[Row]:
    """Return path, value, mark and source of every number of a software generation."""
    return list(rows(shipped("software", name)))
