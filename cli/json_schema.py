"""What JSON Schema needs to be told of a value, in few words (draft 2020-12)."""

import types
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

Schema: TypeAlias = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
NUMBER: Final[Schema] = {"type": "number"}
INTEGER: Final[Schema] = {"type": "integer"}
STRING: Final[Schema] = {"type": "string"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
_PLAIN: Final = {float: NUMBER, int: INTEGER, str: STRING, bool: BOOLEAN}


def some(what: Schema) -> Schema:
    """Return the schema of a list of such values."""
    return {"type": "array", "items": what}


def by_name(what: Schema) -> Schema:
    """Return the schema of an object with such values under names that are data."""
    return {"type": "object", "additionalProperties": what}


def or_null(what: Schema) -> Schema:
    """Return the schema of a value that may be missing."""
    return {"anyOf": [what, {"type": "null"}]}


def one_of(*words: str) -> Schema:
    """Return the schema of a word out of a few."""
    return {"enum": list(words)}


def only(properties: Mapping[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """Return the schema of an object with these fields and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def of(value: type) -> Schema:
    """Return the schema of a dataclass, as `dataclasses.asdict` writes it."""
    hints = get_type_hints(value)
    return only({field.name: _of_hint(hints[field.name]) for field in fields(value)})


def _of_hint(hint: Any) -> Schema:
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (one for one in args if one is not type(None))
        return or_null(_of_hint(inner))
    if origin is Literal:
        return one_of(*args)
    if origin is tuple:
        return some(_of_hint(args[0]))
    return of(hint)
