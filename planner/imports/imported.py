"""A job that somebody runs, as plan3d sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a launch command or a configuration says."""

    framework: str
    """Name in `plan3d.planner.frameworks`."""
    layout: Layout
    moe: bool
    """The model has experts."""
    model: str | None
    """Its shape, as ``--model`` takes it; None where the source does not say."""
    seq: int | None
    global_batch: int
    precision: str | None
    optimizer: str | None
    unused: tuple[str, ...]
    """What has no part in a layout, or is not known, as written."""
    assumed: tuple[str, ...]
    """What was taken for granted, or is not kept, a sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user says of the job beside its source."""

    gpus: int | None = None
    layers: int | None = None
    """Of the model, where the source names it only. [1]"""


def replicas(gpus: int | None, ranks: Mapping[str, int], source: str) -> int:
    """Return the data-parallel replicas of a job on so many GPUs.

    Raises
    ------
    InputError
        If the number of GPUs is not known, or the other ranks do not divide it.
    """
    words = " * ".join(f"{name}={n}" for name, n in ranks.items() if n > 1) or "one rank"
    each = 1
    for n in ranks.values():
        each *= n
    if gpus is None:
        raise InputError(
            f"{source} does not say how many GPUs the job has; give --gpus, a multiple of {each:,}"
        )
    if gpus % each:
        low = gpus // each * each
        near = " or ".join(f"{n:,}" for n in (low, low + each) if n)
        raise InputError(
            f"{gpus:,} GPUs do not divide by {words} = {each:,}; {near} GPUs do: check --gpus, the "
            f"number of nodes, or the degrees"
        )
    return gpus // each


def fitted(global_batch: int, dp: int, micro_batch: int) -> None:
    """Refuse a batch that does not divide."""
    if global_batch % (dp * micro_batch):
        low = global_batch // (dp * micro_batch) * dp * micro_batch
        raise InputError(
            f"the global batch of {global_batch:,} does not divide by dp={dp} * "
            f"micro_batch={micro_batch}; {max(low, dp * micro_batch):,} does"
        )


def model_text(shape: Mapping[str, int | None]) -> str | None:
    """Return a model on one line, or None where its layers, hidden size or heads are not known."""
    if not all(shape.get(symbol) for symbol in "lha"):
        return None
    usual: Mapping[str, Any] = {"kv": shape["a"], "gated": 0, "w": 0, "shared": 0}
    said = {k: v for k, v in shape.items() if v is not None and usual.get(k) != v}
    return ",".join(f"{symbol}={value}" for symbol, value in said.items())
