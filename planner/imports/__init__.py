"""Jobs that somebody runs, read from a framework's launch command or configuration."""

from collections.abc import Callable, Mapping
from typing import Final

from plan3d.planner.imports import deepspeed, megatron, nanotron, python_config, torchtitan
from plan3d.planner.imports.imported import Asked as Asked
from plan3d.planner.imports.imported import Imported as Imported
from plan3d.simulator.errors import unknown

READERS: Final[Mapping[str, Callable[[str, Asked], Imported]]] = {
    "megatron": megatron.read,
    "megatron-bridge": python_config.bridge,
    "nemo": python_config.nemo,
    "deepspeed": deepspeed.read,
    "torchtitan": torchtitan.read,
    "torchtitan-toml": torchtitan.read,
    "nanotron": nanotron.read,
}
"""Names that ``plan3d import --from`` takes."""


def read(name: str, text: str, asked: Asked | None = None) -> Imported:
    """Return what a launch command or a configuration says.

    Raises
    ------
    InputError
        If the name or the text is not understood, or what it says contradicts itself.
    """
    if name not in READERS:
        raise unknown("reader", name, READERS)
    return READERS[name](text, asked or Asked())
