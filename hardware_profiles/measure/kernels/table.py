"""How each kind is measured. A new kind is a function and its line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from plan3d.hardware_profiles.measure.kernels import (
    attention,
    collectives,
    contention,
    copies,
    floors,
    gemm,
    memory_bound,
    optimizer,
)
from plan3d.hardware_profiles.measure.task import Build

BUILDS: Final[Mapping[str, Build]] = MappingProxyType(
    {
        "gemm": gemm.build,
        "attention": attention.build,
        "memory": memory_bound.build,
        "optimizer": optimizer.build,
        "copy": copies.build,
        "floor": floors.build,
        "collective": collectives.build,
        "contention": contention.build,
    }
)
"""By kind; the sustained load is `plan3d.hardware_profiles.measure.sustained`."""
