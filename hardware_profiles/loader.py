"""Clusters: a GPU, the fabric of its node and the network between nodes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Final

from plan3d.hardware_profiles.build import build
from plan3d.hardware_profiles.parts import HERE, KINDS, extend, part_names, read, shipped
from plan3d.hardware_profiles.tree import DEEPEST, Entry, Row, Tree, annotate, brief, merge, rows
from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.hardware import Cluster

PARTS: Final[Mapping[str, str]] = {"gpu": "gpus", "node": "fabrics", "network": "networks"}
"""Where the shipped parts of each field of a cluster are."""


def names() -> tuple[str, ...]:
    """Return the names of the clusters that ship with plan3d."""
    return part_names("clusters")


@cache
def load(name: str) -> Cluster:
    """Return a shipped cluster by name.

    Examples
    --------
    >>> load("dgx-a100-80g").gpus_per_node
    8
    """
    return _cluster(_resolve(shipped("clusters", name)))


def load_path(path: str | Path) -> Cluster:
    """Return the cluster of a user's own file.

    The file is self-contained or refers to shipped parts: ``base = "dgx-h100"`` takes a whole
    cluster, ``base = "mine.toml"`` that of another file beside it, ``gpu = "h100-80g-sxm"`` a part,
    and a table ``[gpu]`` with a ``base`` a part with changes.

    Raises
    ------
    InputError
        If it cannot be read, or a key is unknown or missing, or a value is out of range.
    """
    tree = _user_tree(Path(path))
    try:
        return _cluster(tree)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


@cache
def compose(*, gpu: str, network: str = "", gpus_per_node: int = 0, node: str = "") -> Cluster:
    """Return a cluster of shipped parts; what is left out is what the GPU usually comes with.

    Examples
    --------
    >>> compose(gpu="h100-80g-sxm", network="efa-p5").name
    '8 x h100-80g-sxm + efa-p5'
    """
    if gpu not in part_names("gpus"):
        raise unknown(KINDS["gpus"], gpu, part_names("gpus"))
    parts = {"gpu": gpu, **usual(gpu)}
    wanted = {"node": node, "network": network, "gpus_per_node": gpus_per_node}
    parts.update((key, value) for key, value in wanted.items() if value)
    name = f"{parts['gpus_per_node']} x {gpu} + {parts['network']}"
    return _cluster(_resolve(annotate({"name": name, **parts}, "given", "composed")))


def usual_cluster(gpu: str) -> str:
    """Return the name of the shipped cluster that a GPU usually comes in.

    Raises
    ------
    InputError
        If no shipped cluster has this GPU.

    Examples
    --------
    >>> usual_cluster("h100-80g-sxm")
    'dgx-h100'
    """
    having = [name for name in names() if load(name).gpu.name == gpu]
    if not having:
        known = sorted({load(name).gpu.name for name in names()})
        raise InputError(
            f"no shipped cluster has GPU {gpu!r}; name the nearest one with --hardware (its data "
            f"sheet figures are kept). There are clusters of: {', '.join(known)}"
        )
    wanted = usual(gpu)
    parts = {name: (load(name).node, load(name).network.name) for name in having}
    own = compose(gpu=gpu)
    like = [n for n, found in parts.items() if found == (own.node, wanted["network"])]
    return (like or having)[0]


def usual(gpu: str) -> dict[str, object]:
    """Return the node, network and gpus_per_node that a shipped GPU usually comes with."""
    return dict(read(HERE / "usual.toml")[gpu])  # type: ignore[call-overload,no-any-return]


def describe(name: str) -> list[Row]:
    """Return path, value, mark and source of every number of a cluster, by name or .toml path."""
    path = Path(name)
    tree = _user_tree(path) if path.suffix == ".toml" else _resolve(shipped("clusters", name))
    return list(rows(tree))


def _cluster(tree: Tree) -> Cluster:
    cluster = build(Cluster, tree)
    sources = {row.path: f"{row.value} ({row.mark}; {row.source})" for row in rows(tree)}
    return replace(cluster, sources=sources, digest=_digest(cluster))


def _digest(cluster: Cluster) -> str:
    """Return a hash of the numbers in SI: neither names nor sources nor units change it."""
    left_out = {"name", "sources", "digest"}
    numbers = asdict(cluster, dict_factory=lambda kv: {k: v for k, v in kv if k not in left_out})
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()[:12]


def _user_tree(path: Path, depth: int = 0) -> Tree:
    if depth > DEEPEST:
        raise InputError(f"{path}: its base has a base, and so on, more than {DEEPEST} times")
    raw = read(path)
    name = path.stem if path.stem.isprintable() else ascii(path.stem)
    try:
        tree = annotate(raw, "given", f"{name}.toml")
        own = merge({"name": Entry(name, "given", "")}, tree)
        base = own.get("base")
        if isinstance(base, Entry) and str(base.value).endswith(".toml"):
            del own["base"]
            return _based(own, _user_tree(path.parent / str(base.value), depth + 1))
        return _resolve(own)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _resolve(tree: Tree) -> Tree:
    """Return `tree` with the shipped cluster and parts that it refers to in their place."""
    own = dict(tree)
    base = own.pop("base", None)
    return _based(own, {} if base is None else _resolve(shipped("clusters", _name(base, "base"))))


def _based(own: Tree, base: Tree) -> Tree:
    """Return `own` over a resolved cluster, its parts resolved, too."""
    parts = {
        field: _part(field, own.pop(field, None), base.get(field), own.get("name"))
        for field in PARTS
    }
    return {**base, **own, **parts}


def _part(
    field: str, own: Entry | Tree | None, base: Entry | Tree | None, name: Entry | Tree | None
) -> Entry | Tree:
    """Return one part: the base's, named, based on a named one, changed or self-contained."""
    kind = PARTS[field]
    if own is None:
        if base is not None:
            return base
        known = ", ".join(part_names(kind))
        raise InputError(f"{field}: missing; a table [{field}], or the name of one of: {known}")
    if isinstance(own, Entry):
        return shipped(kind, _name(own, field))
    if "base" in own:
        return extend(kind, own)
    if isinstance(base, dict):
        return merge(base, own)
    return own if name is None else {"name": name, **own}


def _name(node: Entry | Tree, field: str) -> str:
    if isinstance(node, dict) or not isinstance(node.value, str):
        found = "a table" if isinstance(node, dict) else brief(node.value)
        raise InputError(f"{field}: {found}, but a name in quotes is wanted")
    return node.value
