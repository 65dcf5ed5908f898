"""Bytes of a shape: what a memory-bound kernel has to move, and what a measurement holds."""

from typing import Final

from plan3d.hardware_profiles.points.point import Shape

WIDTH: Final = {"fp8": 1, "bf16": 2, "fp16": 2, "tf32": 4, "fp32": 4}
"""Bytes of one element."""
ADAM_BYTES: Final = 28
"""Of one parameter in fp32: read p, g, m, v; write p, m, v. [bytes]"""

_PASSES: Final = {
    ("layernorm", "forward"): (2, 0),  # x -> y
    ("layernorm", "backward"): (3, 0),  # dy, x -> dx
    ("rmsnorm", "forward"): (2, 0),
    ("rmsnorm", "backward"): (3, 0),
    ("gelu", "forward"): (2, 0),
    ("gelu", "backward"): (3, 0),
    ("swiglu", "forward"): (3, 0),  # gate, up -> y
    ("swiglu", "backward"): (5, 0),  # dy, gate, up -> dgate, dup
    ("dropout", "forward"): (2, 1),  # x -> y, mask of one byte
    ("dropout", "backward"): (2, 1),  # dy, mask -> dx
    ("softmax", "forward"): (2, 0),
    ("softmax", "backward"): (3, 0),  # dy, y -> dx
    ("residual", "forward"): (3, 0),  # x, r -> y; backward both get dy as it is
    ("rotary", "forward"): (2, 0),
    ("rotary", "backward"): (2, 0),
    ("cross_entropy", "forward"): (1, 0),  # logits -> one loss per row
    ("cross_entropy", "backward"): (2, 0),  # logits -> their gradient
}
"""Times that m x n elements pass, and bytes besides per element."""
MEMORY_OPS: Final = tuple(_PASSES)
"""Operation and direction of each memory-bound kernel."""


def moved_bytes(op: str, direction: str, m: int, n: int, dtype: str) -> int:
    r"""Return what a memory-bound kernel reads and writes at least [bytes].

    .. math:: m n (p w + q)

    with p passes over the elements of w bytes and q bytes besides. For swiglu n is the width of
    the *result*. Left out, as less than a hundredth: weights, statistics of a row, rotary tables.

    Parameters
    ----------
    op
        One of `MEMORY_OPS`.
    direction
        Forward or backward.
    m
        Rows. [1]
    n
        Columns. [1]
    dtype
        Type of the elements.
    """
    passes, besides = _PASSES[op, direction]
    return m * n * (passes * WIDTH[dtype] + besides)


def held_bytes(shape: Shape) -> float:
    """Return about what a measurement of this shape holds on the device [bytes]."""
    width = WIDTH.get(shape.dtype, 2)
    match shape.kind:
        case "gemm" | "sustained" | "contention":
            sides = shape.m * shape.k + shape.n * shape.k + shape.m * shape.n
            return width * sides + 2 * shape.size_bytes
        case "attention":
            rows = shape.batch * shape.seq
            grads = 3 if shape.direction == "backward" else 1
            scores = 6 * shape.heads * shape.seq * 4 if shape.op == "math" else 0
            heads = 2 * shape.heads + 2 * shape.kv_heads
            return rows * (grads * width * heads * shape.head_dim + scores)
        case "memory":
            return 4 * shape.size_bytes
        case "optimizer":
            return 16.0 * shape.n  # p, g, m, v
        case _:
            return 3 * shape.size_bytes
