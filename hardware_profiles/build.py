"""From a tree to a value type: the fields decide keys, units and what is allowed.

The key of a field is its name without the unit, and the unit's dimension follows from the
name: ``hbm_bytes_per_s`` is ``hbm = "2039 GB/s"``. A new field of `plan3d.simulator.hardware` or
`plan3d.simulator.software` needs nothing here unless its range is special.
"""

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from plan3d.hardware_profiles.tree import Entry, Tree, brief, shown, text
from plan3d.simulator.errors import InputError
from plan3d.simulator.hardware import AttentionLaw, Peaks
from plan3d.simulator.units import Dimension, parse

T = TypeVar("T")

SUFFIXES: Final[tuple[tuple[str, Dimension], ...]] = (
    ("_s_per_sqrt_byte", "s/sqrt(B)"),
    ("_bytes_per_s", "B/s"),
    ("_bytes", "B"),
    ("_s", "s"),
    ("_w", "W"),
)
SPECIAL: Final[Mapping[str, tuple[str, Dimension]]] = {
    "usd_per_s": ("price", "USD/s"),
    **{f.name: (f.name, "FLOP/s") for f in fields(Peaks)},
}
DERIVED: Final = ("sources", "digest")
"""Fields of `Cluster` that no file gives."""
POSITIVE: Final = ("memory", "sms", "gpus_per_node", "vocab_multiple", "head_dims", "backward")
SHARES: Final = ("efficiency", "overlap", "group_loss")
LARGEST: Final = 1e30


def key_of(field: str) -> tuple[str, Dimension | None]:
    """Return the key of a field, and the dimension of its quantity if it has one."""
    if field in SPECIAL:
        return SPECIAL[field]
    for suffix, dimension in SUFFIXES:
        if field.endswith(suffix):
            return field.removesuffix(suffix), dimension
    return field, None


def build(cls: type[T], tree: Tree, path: str = "") -> T:
    """Return the value that `tree` describes, every key known, present and in range."""
    hints = get_type_hints(cls)
    wanted = {
        key_of(f.name)[0]: f
        for f in fields(cls)  # type: ignore[arg-type]
        if f.name not in DERIVED
    }
    for key in tree:
        if key not in wanted and key != "name":  # any part may have a name
            near = difflib.get_close_matches(key, wanted, n=1, cutoff=0.5)
            hint = f"did you mean {path}{near[0]}?" if near else f"known: {', '.join(wanted)}"
            raise InputError(f"{shown(path + key)}: unknown key; {hint}")
    values: dict[str, Any] = {}
    for key, field in wanted.items():
        if key in tree:
            values[field.name] = _value(hints[field.name], field.name, tree[key], path + key)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{path}{key}: missing key")
    built = cls(**values)
    if isinstance(built, AttentionLaw):
        _check_attention(built, path)
    return built


def _value(kind: Any, field: str, node: Entry | Tree, path: str) -> Any:
    """Return the value of one field, of whatever type its annotation says."""
    if is_dataclass(kind) or get_origin(kind) is Mapping:
        if not isinstance(node, dict):
            raise InputError(f"{path}: {brief(node.value)} is not a table [{path}]")
        if isinstance(kind, type) and is_dataclass(kind):
            return build(kind, node, f"{path}.")
        inner = get_args(kind)[1]
        return {text(k, path): _value(inner, k, v, f"{path}.{shown(k)}") for k, v in node.items()}
    if isinstance(node, dict):
        raise InputError(f"{path}: a table, but one value is wanted")
    if get_origin(kind) is not tuple:
        return _leaf(kind, field, node.value, path)
    if not isinstance(node.value, list) or not 1 <= len(node.value) <= 100:
        raise InputError(f"{path}: {brief(node.value)} is not a list such as [64, 128]")
    return tuple(_leaf(get_args(kind)[0], field, item, path) for item in node.value)


def _leaf(kind: Any, field: str, value: object, path: str) -> Any:
    """Return a single text, switch, count or quantity."""
    if kind is str:
        if not text(value, path):
            raise InputError(f"{path}: empty")
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise InputError(f"{path}: {brief(value)} is neither true nor false")
        return value
    return _number(kind, field, value, path)


def _number(kind: Any, field: str, value: object, path: str) -> float:
    """Return a count, a ratio or a quantity, in SI and within its range."""
    key, dimension = key_of(field)
    if dimension is not None:
        if not isinstance(value, str):
            raise InputError(f'{path}: {brief(value)} has no unit; write it as "1 {dimension}"')
        try:
            number = parse(value, dimension)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{path}: {brief(value)} is not a number")
    elif kind is int and not isinstance(value, int):
        raise InputError(f"{path}: {brief(value)} is not a whole number")
    else:
        number = value
    share = key.endswith(SHARES)
    positive = dimension == "B/s" or key in POSITIVE or key.endswith("efficiency")
    if not abs(number) <= LARGEST:  # not "greater": NaN is neither
        raise InputError(f"{path}: {brief(value)} is not a sensible number")
    if number < 0 or (positive and number == 0) or (share and number > 1):
        bound = "more than 0" if positive else "0 or more"
        raise InputError(f"{path}: {brief(value)}, but must be {bound}{' and at most 1' * share}")
    return int(number) if kind is int else float(number)


def _check_attention(law: AttentionLaw, path: str) -> None:
    """Refuse constants by head width that do not belong together."""
    if not len(law.head_dims) == len(law.efficiency) == len(law.half_seq):
        raise InputError(f"{path}head_dims, efficiency and half_seq must be lists of one length")
    if list(law.head_dims) != sorted(set(law.head_dims)):
        raise InputError(f"{path}head_dims must increase")
