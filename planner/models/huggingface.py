"""Models from the `config.json` of a Hugging Face checkpoint."""

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from plan3d.planner.models.readers import READERS, Config
from plan3d.simulator.errors import InputError
from plan3d.simulator.model import ModelSpec

LARGEST_FILE_BYTES = 2**20
"""A config.json is a few kilobytes: a larger file is something else."""


def from_config(config: str | Path | Mapping[str, Any], name: str | None = None) -> ModelSpec:
    """Return the model that a config describes.

    Parameters
    ----------
    config
        A `config.json`, a directory that holds one, or its parsed contents. The text part of a
        multimodal config (`text_config`) is taken.
    name
        Name of the model; that of the directory, or the model type, if left out.

    Raises
    ------
    InputError
        If the file cannot be read, or does not describe a model that plan3d knows.
    """
    if isinstance(config, Mapping):
        values, origin = config, "config"
    else:
        path = Path(config)
        values, origin = _read(path), str(path)
        inside = path.name == "config.json"
        name = name or (path.absolute().parent.name if inside else path.stem)
    return _convert(values, origin, name)


def _read(path: Path) -> Mapping[str, Any]:
    """Return the contents of a file, which may be anything."""
    try:
        path = path / "config.json" if path.is_dir() else path
        regular = path.is_file()
        with path.open("rb") if regular else BytesIO() as file:
            text = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if not regular:
        raise InputError(f"there is no file {path}; a config.json, or its directory, is needed")
    if len(text) > LARGEST_FILE_BYTES:
        raise InputError(f"{path} is larger than 1 MiB, so it is no config.json")
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise InputError(f"{path} is nested too deep for a config.json") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} holds a {type(values).__name__}, but an object is needed")
    return values


def _convert(values: Mapping[str, Any], origin: str, name: str | None) -> ModelSpec:
    kind = values.get("model_type")
    text = values.get("text_config")
    if isinstance(text, Mapping) and not (isinstance(kind, str) and kind in READERS):
        return _convert(text, f"{origin}: text_config", name)
    if not isinstance(kind, str):
        raise InputError(f"{origin} has no model_type; one of {', '.join(READERS)} is needed")
    if kind not in READERS:
        raise InputError(
            f"{origin}: model_type {kind!r:.40} is not known; there are: {', '.join(READERS)}. "
            f"Any other model can be given as h=...,l=...,a=...,v=..."
        )
    fields = READERS[kind](Config(values=values, origin=origin))
    return ModelSpec(**fields, name=name or kind)
