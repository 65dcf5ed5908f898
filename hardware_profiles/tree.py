"""A profile as it is written: nested tables whose leaves know where they come from.

A leaf is ``hbm = "2039 GB/s"`` or ``hbm = {value = "2039 GB/s", mark = "data sheet", source =
"..."}``. ``mark`` and ``source`` of a table hold for all leaves in it that have none themselves.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from plan3d.simulator.errors import InputError

MARKS: Final = ("data sheet", "documented", "measured", "assumed", "given")
"""How a number is known; ``given`` is the user's own."""
LONGEST: Final = 500
DEEPEST: Final = 8


class Entry(NamedTuple):
    """One value with its provenance."""

    value: object
    mark: str
    source: str


class Row(NamedTuple):
    """One line of a profile's description."""

    path: str
    value: str
    mark: str
    source: str


Tree: TypeAlias = dict[str, "Entry | Tree"]


def annotate(raw: Mapping[str, object], mark: str, source: str, path: str = "") -> Tree:
    """Return the parsed contents of a file as a tree, `mark` and `source` where it has none."""
    if path.count(".") > DEEPEST:
        raise InputError(f"{shown(path)}: tables are nested too deep")
    mark = _mark(raw.get("mark", mark), path)
    source = text(raw.get("source", source), f"{path}source")
    tree: Tree = {}
    for key, value in raw.items():
        where = f"{path}{key}"
        if key in {"mark", "source"}:
            continue
        if not isinstance(value, dict):
            # what a base's numbers are worth is said beside it, or by the base itself
            tree[key] = Entry(value, "", "") if key == "base" else Entry(value, mark, source)
        elif "value" not in value:
            tree[key] = annotate(value, mark, source, f"{where}.")
        elif extra := sorted(value.keys() - {"value", "mark", "source"}):
            raise InputError(f"{shown(where)}.{shown(extra[0])}: unknown key beside 'value'")
        else:
            own = _mark(value.get("mark", mark), where)
            tree[key] = Entry(value["value"], own, text(value.get("source", source), where))
    return tree


def merge(base: Tree, own: Tree) -> Tree:
    """Return `base` with the leaves of `own` in their place."""
    merged = dict(base)
    for key, value in own.items():
        below = base.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        merged[key] = merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def remark(tree: Tree, mark: str, source: str) -> Tree:
    """Return `tree` with every leaf marked `mark`, its own provenance appended to `source`."""
    return {
        key: remark(value, mark, source)
        if isinstance(value, dict)
        else Entry(value.value, mark, f"{source}: {value.source}")
        for key, value in tree.items()
    }


def rows(tree: Tree, path: str = "") -> Iterator[Row]:
    """Yield the leaves, in the order of the file; names are no facts and are left out."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from rows(value, f"{path}{key}.")
        elif key != "name":
            yield Row(f"{path}{key}", _plain(value.value), value.mark, value.source)


def shown(key: str) -> str:
    """Return a key as a message may print it: short, and no control characters."""
    key = key.rstrip(".")
    return key if key.isprintable() and len(key) <= LONGEST else ascii(key[:100])


def text(value: object, path: str) -> str:
    """Return a text that may be printed, or refuse it."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST:
        raise InputError(
            f"{shown(path)}: {brief(value)} is not a line of text of at most {LONGEST} characters"
        )
    return value


def brief(value: object) -> str:
    """Return a value as a message may print it."""
    try:
        return ascii(value)[:80]
    except ValueError:  # a whole number of more digits than Python prints
        return "a huge number"


def _mark(value: object, path: str) -> str:
    if value not in MARKS:
        raise InputError(f"{shown(path)}: mark is {brief(value)}, not one of {', '.join(MARKS)}")
    return str(value)


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
