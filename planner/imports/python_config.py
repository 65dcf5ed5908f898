"""Read the fields that a Python recipe of Megatron-Bridge or NeMo sets; nothing of it is run."""

import ast
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final

from plan3d.planner.exports.bridge import (
    DDP,
    MODEL,
    NEGATED,
    NEMO_PRECISION,
    OPTIMIZER,
    PARALLEL,
    PRECISION,
    TRAIN,
)
from plan3d.planner.imports.given import Given
from plan3d.planner.imports.imported import Asked, Imported
from plan3d.planner.imports.megatron import job_of
from plan3d.simulator.errors import InputError

_OPTIONS: Final = {
    field: f"--{option}"
    for names in (PARALLEL, MODEL, DDP, TRAIN, OPTIMIZER)
    for option, field in names.items()
} | {
    "use_tp_pp_dp_mapping": "--use-tp-pp-dp-mapping",
    "tp_comm_overlap": "--tp-comm-overlap",
    "ckpt_format": "--ckpt-format",
}
_NEGATED: Final = {field: f"--{option}" for option, field in NEGATED.items()}
_PRECISION: Final[Mapping[str, Mapping[str, Any]]] = {
    "bf16": {"--bf16": True},
    "fp16": {"--fp16": True},
    "fp8": {"--bf16": True, "--fp8-format": "hybrid"},
}


def bridge(text: str, asked: Asked) -> Imported:
    """Return what a recipe of Megatron-Bridge says."""
    return _read(text, asked, "megatron")


def nemo(text: str, asked: Asked) -> Imported:
    """Return what a recipe of NeMo 2.0 says."""
    return _read(text, asked, "nemo")


def set_fields(text: str) -> Iterator[tuple[str, Any]]:
    """Yield the last names of the fields that a module sets, and their values, in its order.

    Assignments ``a.b.field = value`` and keyword arguments ``f(field=value)``, where the value is
    written out.

    Raises
    ------
    InputError
        If the text is not Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
        raise InputError(f"this is not Python{where}; give the file of the recipe") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            name, value = node.targets[0].attr, node.value
        elif isinstance(node, ast.keyword) and node.arg is not None:
            name, value = node.arg, node.value
        else:
            continue
        if isinstance(value, ast.Call) and name in ("mixed_precision", "plugins"):
            # bf16_mixed(), get_mixed_precision_config("bf16_mixed")
            value = value.args[0] if value.args else value.func
            value = ast.Constant(value.id) if isinstance(value, ast.Name) else value
        try:
            yield name, ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue  # something that is computed


def _read(text: str, asked: Asked, framework: str) -> Imported:
    options: dict[str, Any] = {}
    names = NEMO_PRECISION if framework == "nemo" else PRECISION
    for name, value in set_fields(text):
        if name in _NEGATED:
            options[_NEGATED[name]] = not value
        elif name == "overlap_p2p_comm":
            # off says something only where chunks are interleaved
            options["--no-overlap-p2p-communication"] = value is False
        elif name in ("mixed_precision", "plugins") and isinstance(value, str):
            kind = value.replace("-", "_")
            options |= _PRECISION[next((k for k, v in names.items() if v == kind), "bf16")]
        else:
            options[_OPTIONS.get(name, name)] = value
    devices, nodes = options.pop("devices", None), options.pop("num_nodes", None)
    if isinstance(devices, int) and isinstance(nodes, int):
        asked = Asked(gpus=asked.gpus or devices * nodes, layers=asked.layers)
    interleaved = (options.get("--num-virtual-stages-per-pipeline-rank") or 1) != 1
    if not interleaved:
        options.pop("--no-overlap-p2p-communication", None)
    return job_of(Given(values=options), asked, framework=framework)
