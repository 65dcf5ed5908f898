"""Reading profile files: those that ship with plan3d, by kind and name, and the user's own."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Final

from plan3d.hardware_profiles.tree import Entry, Tree, annotate, brief, merge, remark
from plan3d.simulator.errors import InputError, unknown

HERE: Final = Path(__file__).parent
KINDS: Final = {
    "gpus": "GPU", "fabrics": "node fabric", "networks": "network",
    "clusters": "cluster", "software": "software",
}  # fmt: skip
LARGEST_BYTES: Final = 1_000_000


@cache
def part_names(kind: str) -> tuple[str, ...]:
    """Return the names of the shipped files of a kind: gpus, fabrics, networks, clusters, ...

    Examples
    --------
    >>> "a100-80g-sxm" in part_names("gpus")
    True
    """
    return tuple(sorted(file.stem for file in (HERE / kind).glob("*.toml")))


@cache
def shipped(kind: str, name: str) -> Tree:
    """Return the contents of a shipped file, what it is based on filled in."""
    if name not in part_names(kind):
        raise unknown(KINDS[kind], name[:100], part_names(kind))
    named: Tree = {"name": Entry(name, "given", "")}
    tree = annotate(read(HERE / kind / f"{name}.toml"), "assumed", "no source given")
    return extend(kind, merge(named, tree))


def extend(kind: str, tree: Tree) -> Tree:
    """Return `tree` over the shipped part that its ``base`` names, if it has one.

    A base written with a mark of its own (``base = {value = "h100-80g-sxm", mark = "assumed",
    source = "same die"}``) says what the inherited numbers are worth here.
    """
    base = tree.get("base")
    if base is None:
        return tree
    own = {key: value for key, value in tree.items() if key != "base"}
    if isinstance(base, dict) or not isinstance(base.value, str):
        raise InputError(f"base: not the name of a shipped {KINDS[kind]}, in quotes")
    inherited = shipped(kind, base.value)
    if base.mark:
        inherited = remark(inherited, base.mark, f"as {base.value}, {base.source}")
    return merge(inherited, own)


def read(path: Path) -> dict[str, object]:
    """Return the parsed contents of a TOML file, however hostile, or say what is wrong."""
    try:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise InputError(f"{path}: cannot be read: {error}") from None
    if len(data) > LARGEST_BYTES:
        raise InputError(f"{path}: larger than {LARGEST_BYTES:,} bytes, so not a profile")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deep") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid TOML: {brief(str(error))}") from None
