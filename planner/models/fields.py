"""Values of a model description, checked by the fields of `ModelSpec` and its parts."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_args, get_type_hints

from plan3d.simulator.errors import InputError
from plan3d.simulator.model import Experts, LatentAttention, ModelSpec

MOST = 10**9
"""No whole number in a model is larger: more is a slip, or mischief."""

Part = TypeVar("Part", Experts, LatentAttention)


def whole(value: object, where: str, *, least: int = 0) -> int:
    """Return a whole number within reason."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
        shown = repr(value) if isinstance(value, bool | int | float | str) else type(value).__name__
        if len(shown) > 40:
            shown = f"{shown[:40]}..."
        raise InputError(f"{where} is {shown}, but must be a whole number from {least} to {MOST:,}")
    return value


def model_spec(values: Mapping[str, Any], where: str) -> ModelSpec:
    """Return the model with these fields.

    What GPT leaves to convention may be left out: `kv_heads` is `heads`, `head_dim` is
    `hidden / heads`, `ffn` is 4 times `hidden`.
    """
    given = dict(values)
    if "experts" in given:
        given["experts"] = _part(Experts, given["experts"], f"{where}.experts")
    if "latent" in given:
        given["latent"] = _part(LatentAttention, given["latent"], f"{where}.latent")
    check(get_type_hints(ModelSpec) | {"experts": Experts, "latent": LatentAttention}, given, where)
    heads, hidden = given.get("heads", 0), given.get("hidden", 0)
    if "head_dim" not in given and heads and hidden:
        if hidden % heads:
            raise InputError(
                f"{where}: hidden is {hidden:,}, which {heads:,} heads do not divide; give "
                f"head_dim, or a number of heads that divides it"
            )
        given["head_dim"] = hidden // heads
    given = {"kv_heads": heads, "ffn": 4 * hidden} | given
    missing = [n for n in ("layers", "hidden", "heads", "vocab") if n not in given]
    if missing:
        raise InputError(f"{where}: {', '.join(missing)} is missing")
    return ModelSpec(**given)


def _part(part: type[Part], values: object, where: str) -> Part:
    """Return the experts or the latent attention of a model."""
    if not isinstance(values, Mapping):
        raise InputError(f"{where} is {values!r}, but must be a table")
    check(get_type_hints(part), values, where)
    missing = [f.name for f in fields(part) if f.default is MISSING and f.name not in values]
    if missing:
        raise InputError(f"{where}: {', '.join(missing)} is missing")
    return part(**values)


def check(hints: Mapping[str, Any], values: Mapping[str, Any], where: str) -> None:
    """Refuse unknown names, and values of another type than the hint; `object` is any."""
    for name, value in values.items():
        if name not in hints:
            raise InputError(f"{where}.{name} is unknown; there are: {', '.join(hints)}")
        hint, choices = hints[name], get_args(hints[name])
        if hint is int:
            whole(value, f"{where}.{name}")
        elif choices and value not in choices:
            raise InputError(f"{where}.{name} is {value!r}, but must be one of {choices}")
        elif not choices and not isinstance(value, hint):
            raise InputError(f"{where}.{name} is {value!r}, but must be a {hint.__name__}")
