"""Kernels that wait for memory: norms, activations, softmax, dropout, loss."""

from typing import Any, Final

import torch
from torch.nn import functional

from plan3d.hardware_profiles.measure.device import Device
from plan3d.hardware_profiles.measure.kernels.compare import TOLERANCE, TYPES, error, sampled
from plan3d.hardware_profiles.measure.kernels.rowwise import (
    KEPT,
    OPERATIONS,
    ROTARY_HEAD,
    Operation,
)
from plan3d.hardware_profiles.measure.task import Task, UnsupportedError
from plan3d.hardware_profiles.points.point import Shape

ROWS: Final = 8
"""Rows that are compared with a reference. [1]"""
KEPT_WITHIN: Final = 0.02
"""Dropout may keep so much more or less than it is told to. [1]"""


def build(shape: Shape, device: Device) -> Task:
    """Make a memory-bound kernel ready: m rows of n; backward is the gradient alone."""
    if shape.op == "rmsnorm" and not hasattr(functional, "rms_norm"):
        raise UnsupportedError(f"torch {torch.__version__} has no rms_norm")
    if shape.op == "dropout":
        return _dropout(shape, device)
    operation = OPERATIONS[shape.op]
    rows, weights = _inputs(shape, operation, device)
    note = "" if operation.kernels == "1" else f"not fused: kernels forward {operation.kernels}"

    def forward() -> Any:
        return operation.eager(rows, weights)

    if shape.direction == "forward":
        return Task(
            run=forward,
            error=lambda: _forward_error(operation, rows, weights, forward()),
            tolerance=TOLERANCE[shape.dtype],
            note=note,
        )
    out = forward()
    dy = device.normal(*out.shape, dtype=out.dtype)
    leaves = [t for t in (*rows, *weights) if t.requires_grad]

    def backward() -> Any:
        return torch.autograd.grad(out, leaves, dy, retain_graph=True)

    return Task(
        run=backward,
        error=lambda: _backward_error(operation, rows, weights, dy, backward()[0]),
        tolerance=TOLERANCE[shape.dtype],
        note=note,
    )


def _inputs(shape: Shape, operation: Operation, device: Device) -> tuple[list[Any], list[Any]]:
    kind = TYPES[shape.dtype]
    rows = [
        device.normal(shape.m, shape.n * operation.wide, dtype=kind).requires_grad_()
        for _ in range(operation.rows)
    ]
    weights = [
        device.normal(shape.n, dtype=kind).requires_grad_() for _ in range(operation.weights)
    ]
    if shape.op == "cross_entropy":
        rows.append(torch.randint(shape.n, (shape.m,), device=device.where))
    if shape.op == "rotary":
        width = ROTARY_HEAD if shape.n % ROTARY_HEAD == 0 else shape.n
        angles = device.normal(shape.m, width // 2, dtype=torch.float32).repeat(1, 2)
        rows += [angles.cos().to(kind), angles.sin().to(kind)]
    return rows, weights


def _exact(tensors: list[Any], picked: Any = None) -> list[Any]:
    """Return the tensors in float64 (indices as they are), or only their picked rows."""
    some = [(t if picked is None else t[picked]).detach() for t in tensors]
    return [t.double() if t.is_floating_point() else t for t in some]


def _forward_error(operation: Operation, rows: list[Any], weights: list[Any], out: Any) -> float:
    picked = sampled(out.shape[0], ROWS, out.device)
    return error(out[picked].detach(), operation.reference(_exact(rows, picked), _exact(weights)))


def _backward_error(
    operation: Operation, rows: list[Any], weights: list[Any], dy: Any, dx: Any
) -> float:
    picked = sampled(dx.shape[0], ROWS, dx.device)
    exact = _exact(rows, picked)
    exact[0].requires_grad_()
    out = operation.reference(exact, _exact(weights))
    (reference,) = torch.autograd.grad(out, exact[0], dy[picked].double())
    return error(dx[picked], reference)


def _dropout(shape: Shape, device: Device) -> Task:
    x = device.normal(shape.m, shape.n, dtype=TYPES[shape.dtype]).requires_grad_()

    def forward() -> Any:
        return functional.dropout(x, 1 - KEPT, training=True)

    def odd(result: Any, scaled: Any, out: Any) -> float:
        """Return the error of what is kept, or 1 where too little or too much is."""
        if abs(float(torch.count_nonzero(out)) / out.numel() - KEPT) > KEPT_WITHIN:
            return 1.0
        picked = sampled(shape.m, ROWS, x.device)
        kept = out[picked] != 0
        return error(result[picked], scaled[picked].double() * kept / KEPT)

    def forward_error() -> float:
        out = forward().detach()
        return odd(out, x.detach(), out)

    if shape.direction == "forward":
        return Task(run=forward, error=forward_error, tolerance=TOLERANCE[shape.dtype])
    out = forward()
    dy = device.normal(*x.shape, dtype=x.dtype)

    def backward() -> Any:
        return torch.autograd.grad(out, x, dy, retain_graph=True)[0]

    return Task(
        run=backward,
        error=lambda: odd(backward(), dy, out.detach()),
        tolerance=TOLERANCE[shape.dtype],
    )
