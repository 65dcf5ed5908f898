"""Layers as a table: measured ones come in with ``--table``, the model's go out with ``--csv``.

One row per layer, in order: ``layer`` (1, 2, ...), ``forward_s`` and ``parameters_bytes`` (with
gradients and optimizer states, on one GPU), and for each recompute option ``backward_s.NAME``,
``activation_bytes.NAME`` (per micro-batch) and, where they are not 0, ``working_bytes.NAME`` and
``host_bytes.NAME``.
"""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from plan3d.planner.partition.problem import Layers
from plan3d.simulator.errors import InputError
from plan3d.simulator.numeric import Floats

LARGEST = 1e15
"""Larger than any time in seconds or size in bytes of a layer: a slip. [1]"""

PER_LAYER = {"forward_s": "forward_s", "parameters_bytes": "state_bytes"}
"""Columns, and the fields of `Layers` that they are."""
PER_OPTION = {
    "backward_s": "backward_s",
    "activation_bytes": "kept_bytes",
    "working_bytes": "working_bytes",
    "host_bytes": "host_bytes",
}
OPTIONAL = ("working_bytes", "host_bytes")
"""0 where the table has no such column."""


def read_layers(path: Path) -> Layers:
    """Return the layers of a CSV file.

    Raises
    ------
    InputError
        If the table is not one of layers: with the row and the column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [[cell.strip() for cell in line] for line in csv.reader(file) if any(line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or "it is not a CSV file"
        raise InputError(f"cannot read the table {path}: {why}") from error
    if len(lines) < 2:
        raise InputError(f"{path} has no layers; give a header and one row per layer")
    names, *rows = lines
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise InputError(f"{path}, row {number} has {len(row)} cells, not {len(names)}")
    options = _options(path, names)
    columns = {name: _column(path, name, cells) for name, *cells in zip(*lines, strict=True)}
    layer = columns["layer"]
    wrong = np.flatnonzero(layer != np.arange(1, len(rows) + 1))
    if len(wrong):
        at = int(wrong[0])
        raise InputError(
            f"{path}, row {at + 2}, column layer: {layer[at]:g} where {at + 1} is due; "
            "list the layers in order, from 1"
        )
    nothing = np.zeros(len(rows))

    def of(kind: str) -> Floats:
        return np.stack([columns.get(f"{kind}.{o}", nothing) for o in options], axis=1)

    fields = {field: columns[name] for name, field in PER_LAYER.items()}
    return Layers(
        options=options, **fields, **{field: of(name) for name, field in PER_OPTION.items()}
    )


def _options(path: Path, names: list[str]) -> tuple[str, ...]:
    """Return the options that the header names, in its order."""
    found = [name.partition(".")[2] for name in names if name.startswith("backward_s.")]
    options = tuple(dict.fromkeys(found))
    if not options:
        raise InputError(
            f"{path} has no column backward_s.NAME; give one for each recompute option, such as "
            "backward_s.none and backward_s.full"
        )
    missing = [name for name in ("layer", *_wanted(options)) if name not in names]
    missing = [name for name in missing if name.partition(".")[0] not in OPTIONAL]
    strange = [name for name in names if name not in ("layer", *_wanted(options))]
    repeated = [name for name in names if names.count(name) > 1]
    for problem, what in ((missing, "lacks"), (strange, "has an unknown"), (repeated, "repeats")):
        if problem:
            raise InputError(
                f"{path} {what} column {problem[0]!r}; the columns of its options are: layer, "
                + ", ".join(_wanted(options))
            )
    return options


def _wanted(options: tuple[str, ...]) -> list[str]:
    return [*PER_LAYER, *(f"{kind}.{option}" for kind in PER_OPTION for option in options)]


def _column(path: Path, name: str, cells: list[str]) -> Floats:
    """Return one column as numbers of at least 0."""
    values = []
    for number, cell in enumerate(cells, start=2):
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not 0 <= value <= LARGEST:
            raise InputError(
                f"{path}, row {number}, column {name}: {cell!r} is not a number from 0 to "
                f"{LARGEST:g}"
            )
        values.append(value)
    return np.array(values)


def write_layers(layers: Layers) -> list[Mapping[str, float]]:
    """Return the rows of the table of layers."""
    rows: list[Mapping[str, float]] = []
    for i in range(len(layers)):
        row = {"layer": float(i + 1)}
        row |= {name: float(getattr(layers, field)[i]) for name, field in PER_LAYER.items()}
        row |= {
            f"{name}.{option}": float(getattr(layers, field)[i, r])
            for name, field in PER_OPTION.items()
            for r, option in enumerate(layers.options)
        }
        rows.append(row)
    return rows
