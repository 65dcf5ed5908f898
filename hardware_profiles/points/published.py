"""Kernel times as others publish them, read as points.

Three tables are known by their columns: matrix products (gpu, dtype, layout, m, n, k, time_us),
attention (gpu, impl, b, heads, kv_heads, seq, head_dim, causal, pass, time_us) and collectives
(gpu, system, op, ranks, nodes, bytes, time_us), each with a source.
"""

import math
from collections.abc import Sequence
from typing import Final

from plan3d.hardware_profiles.points.point import Point, Shape

_GEMM: Final = {"gpu", "dtype", "layout", "m", "n", "k", "time_us", "source"}
_ATTENTION: Final = {"gpu", "impl", "b", "heads", "seq", "head_dim", "causal", "pass", "time_us"}
_COLLECTIVE: Final = {"gpu", "op", "ranks", "nodes", "bytes", "time_us", "source"}
_DIRECTIONS: Final = {"fwd": "forward", "bwd": "backward", "fwd+bwd": "both"}
_ROLES: Final = {"TN": "forward", "NN": "dgrad", "NT": "wgrad"}
"""What the transposes of a row-major product say about its place in training."""
_DTYPES: Final = {"fp8(per-tensor)": "fp8", "bf16->fp32 accumulate": "bf16"}
_CASTS: Final = "+cast"
"""Ends the op of products whose time includes turning the rows into 8 bits."""


def known(header: Sequence[str]) -> bool:
    """Whether these are the columns of a published table."""
    return any(columns <= set(header) for columns in (_GEMM, _ATTENTION, _COLLECTIVE))


def point(row: dict[str, str]) -> Point | None:
    """Return the point of one line; nothing where the line gives no time or no plain shape."""
    if not row["time_us"]:
        return None
    if "layout" in row:
        return _gemm(row)
    return _attention(row) if "impl" in row else _collective(row)


def _time_s(row: dict[str, str]) -> float:
    value = float(row["time_us"])
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"time_us is {row['time_us'][:40]!r}, not a time")
    return value / 1e6


def _gemm(row: dict[str, str]) -> Point:
    casts = _CASTS if "per-tensor" in row["dtype"] else ""
    shape = Shape(
        kind="gemm", op=_ROLES.get(row["layout"], "forward") + casts,
        dtype=_DTYPES.get(row["dtype"], row["dtype"]),
        m=int(row["m"]), n=int(row["n"]), k=int(row["k"]),
    )  # fmt: skip
    return Point(shape=shape, time_s=_time_s(row), gpu=row["gpu"], site=_site(row["source"]))


def _attention(row: dict[str, str]) -> Point | None:
    if not row["head_dim"].isdigit() or row["causal"] not in ("0.0", "1.0", "0", "1"):
        return None  # keys and values of two widths, or a mask that the source does not state
    shape = Shape(
        kind="attention", op=row["impl"], direction=_DIRECTIONS[row["pass"]],
        batch=int(row["b"]), heads=int(row["heads"]),
        kv_heads=int(float(row.get("kv_heads") or row["heads"])), seq=int(row["seq"]),
        head_dim=int(row["head_dim"]), causal=int(float(row["causal"])),
    )  # fmt: skip
    return Point(shape=shape, time_s=_time_s(row), gpu=row["gpu"], site=_site(row["source"]))


def _collective(row: dict[str, str]) -> Point:
    op = "all_to_all" if row["op"] == "alltoall" else row["op"]
    shape = Shape(
        kind="collective", op=op, dtype="", size_bytes=int(row["bytes"]),
        ranks=int(row["ranks"]), nodes=int(row["nodes"]),
    )  # fmt: skip
    system, notes = row.get("system", ""), row.get("notes", "")
    where = system if shape.nodes > 1 else notes  # between nodes the network counts, inside NCCL's
    site = f"{_site(row['source'])} {where}".strip()
    return Point(shape=shape, time_s=_time_s(row), note=notes, gpu=row["gpu"], site=site)


def _site(source: str) -> str:
    """Return who published it: the repository or paper, without the path inside it."""
    return source.split(":", maxsplit=1)[0].strip()
