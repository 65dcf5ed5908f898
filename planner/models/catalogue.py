"""The models that ship with plan3d: TOML files beside this one, each field with its source.

A file has a `[common]` table and one table for each model; what a model does not say is common. Add
a model by adding a table, or a family by dropping a file here.
"""

import tomllib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from plan3d.planner.models.fields import check, model_spec, whole
from plan3d.planner.models.preset import Preset
from plan3d.simulator.errors import InputError, unknown

_HINTS = {
    **{"source": str, "published_params": object, "tokens": float, "seq": int, "global_batch": int},
    **{"precision": str, "optimizer": str, "hardware": str, "aliases": list, "note": str},
    "model": dict,
}
"""What a model may say. The total is a whole number, or as printed: "1.7 B"."""
_SCALE = {"M": 10**6, "B": 10**9, "T": 10**12}


def names() -> list[str]:
    """Return the names of the models, family by family."""
    return [name for name, preset in _presets().items() if name == preset.name]


def is_known(name: str) -> bool:
    """Return whether there is a model of that name or alias, in any case."""
    return _key(name) in _presets()


def load(name: str) -> Preset:
    """Return a model by its name or an alias, in any case."""
    if not is_known(name):
        raise unknown("model", name, names())
    return _presets()[_key(name)]


def _key(name: str) -> str:
    return name.strip().lower()


@cache
def _presets() -> Mapping[str, Preset]:
    """Return all models by name and alias."""
    presets: dict[str, Preset] = {}
    entries = (entry for entry in files(__package__).iterdir() if entry.name.endswith(".toml"))
    for entry in sorted(entries, key=lambda e: e.name):
        for preset in from_toml(entry.read_text(encoding="utf-8"), entry.name):
            for name in (preset.name, *preset.aliases):
                if name in presets:
                    raise InputError(f"{entry.name}: there is a model {name!r} already")
                presets[name] = preset
    return MappingProxyType(presets)


def from_toml(text: str, file: str) -> list[Preset]:
    """Return the models of one file.

    Raises
    ------
    InputError
        If a key is unknown, missing or of the wrong type: the message names file and path.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file} is not TOML: {error}") from error
    for key in data.keys() - {"common", "models"}:
        raise InputError(f"{file}: {key} is unknown; there are: common, models")
    common = _table(data.get("common", {}), f"{file}: common")
    return [
        _preset(name, common, _table(entry, f"{file}: models.{name}"), f"{file}: models.{name}")
        for name, entry in _table(data.get("models", {}), f"{file}: models").items()
    ]


def _preset(name: str, common: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> Preset:
    """Return one model from its table and the common one."""
    values = dict(common) | dict(entry)
    shape = _table(common.get("model", {}), f"{where}.model") | _table(
        entry.get("model", {}), f"{where}.model"
    )
    check(_HINTS, values, where)
    for key in ("seq", "global_batch"):
        whole(values.get(key), f"{where}.{key}", least=1)
    if "source" not in values:
        raise InputError(f"{where}.source is missing: where do the numbers come from?")
    published, rounding = _published(values.get("published_params"), f"{where}.published_params")
    return Preset(
        **values
        | {
            "model": model_spec({**shape, "name": name}, f"{where}.model"),
            "aliases": tuple(values.get("aliases", ())),
            "published_params": published,
            "rounding": rounding,
        }
    )


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where} is {value!r}, but must be a table")
    return value


def _published(value: object, where: str) -> tuple[float | None, float]:
    """Return what is printed and half a unit of its last digit: '1.7 B' is 1.7e9 +- 0.05e9."""
    if value is None or isinstance(value, int):
        return value, 0.0
    digits, _, unit = str(value).partition(" ")
    try:
        printed, scale = Decimal(digits), _SCALE[unit]
    except (InvalidOperation, KeyError):
        raise InputError(
            f"{where} is {value!r}, but must be a whole number, or printed digits such as '1.7 B'"
        ) from None
    last = Decimal(1).scaleb(int(printed.as_tuple().exponent))
    return float(printed * scale), float(last * scale / 2)
