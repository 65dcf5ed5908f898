"""Matrix products as a linear layer runs them: forward, data gradient, weight gradient.

Weights are stored out x in, as `torch.nn.Linear` stores them, so the transposes are those of
training: forward x W^T, data gradient dy W, weight gradient dy^T x.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import torch

from plan3d.hardware_profiles.measure.device import Device
from plan3d.hardware_profiles.measure.kernels.compare import TOLERANCE, TYPES, error, sampled
from plan3d.hardware_profiles.measure.task import Task, UnsupportedError
from plan3d.hardware_profiles.points.point import Shape

OLDEST: Final = {"bf16": (8, 0), "tf32": (8, 0), "fp8": (8, 9)}
"""Compute capability from which a GPU has units for a type."""
ROWS, COLUMNS = 4, 64
"""Of the result that are compared with a reference. [1]"""
FP8_MULTIPLE: Final = 16
_PRECISION: Final = {"tf32": "tf32", "fp32": "ieee"}


def build(shape: Shape, device: Device) -> Task:
    """Make a matrix product ready: C[m, n] = A[m, k] B[k, n]."""
    _refuse(shape, device)
    if shape.dtype == "fp8":
        return _fp8(shape, device)
    a, b = operands(shape, device)
    c = torch.empty(shape.m, shape.n, device=device.where, dtype=a.dtype)
    run: Callable[[], Any] = partial(torch.mm, a, b, out=c)
    if shape.dtype in _PRECISION:
        run = partial(_in_precision, _PRECISION[shape.dtype], run)
    return Task(run=run, error=partial(product_error, run, a, b), tolerance=TOLERANCE[shape.dtype])


def operands(shape: Shape, device: Device) -> tuple[Any, Any]:
    """Return A and B, random, laid out as the place of the product in training has them."""
    normal = partial(device.normal, dtype=TYPES[shape.dtype])
    m, n, k = shape.m, shape.n, shape.k
    match shape.op:
        case "dgrad":
            return normal(m, k), normal(k, n)
        case "wgrad":
            return normal(k, m).t(), normal(k, n)
        case _:
            return normal(m, k), normal(n, k).t()


def product_error(run: Any, a: Any, b: Any) -> float:
    """Return the error of some rows and columns of what `run` returns, against A B [1]."""
    result = run()
    rows = sampled(a.shape[0], ROWS, a.device)
    columns = sampled(b.shape[1], COLUMNS, b.device)
    # fp8 tensors cannot be indexed: as bytes they can
    some_a = _bytes(a)[rows].view(a.dtype).float().double()
    some_b = _bytes(b.t())[columns].view(b.dtype).float().double()
    return error(result[rows][:, columns], some_a @ some_b.t())


def _bytes(tensor: Any) -> Any:
    return tensor.view(torch.uint8) if tensor.element_size() == 1 else tensor


def _refuse(shape: Shape, device: Device) -> None:
    if device.cuda and device.capability < OLDEST.get(shape.dtype, (0, 0)):
        major, minor = OLDEST[shape.dtype]
        raise UnsupportedError(f"{shape.dtype} needs compute capability {major}.{minor}")
    if not device.cuda and shape.dtype == "tf32":
        raise UnsupportedError("tf32 is a type of GPUs")


def _fp8(shape: Shape, device: Device) -> Task:
    """Make an 8-bit product ready, laid out as Transformer Engine does: both operands along k.

    Gradients of the output are e5m2, all else e4m3; quantising and transposing is not timed.
    """
    if not hasattr(torch, "_scaled_mm"):
        raise UnsupportedError(f"torch {torch.__version__} has no scaled 8-bit product")
    if shape.n % FP8_MULTIPLE or shape.k % FP8_MULTIPLE:
        raise UnsupportedError(f"8-bit products need n and k divisible by {FP8_MULTIPLE}")
    forward = shape.op == "forward"
    left = torch.float8_e4m3fn if forward else torch.float8_e5m2
    a = device.normal(shape.m, shape.k, dtype=torch.bfloat16).to(left)
    b = device.normal(shape.n, shape.k, dtype=torch.bfloat16).to(torch.float8_e4m3fn).t()
    one = torch.ones((), device=device.where, dtype=torch.float32)

    def run() -> Any:
        result: Any = torch._scaled_mm(
            a, b, scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=forward
        )
        return result[0] if isinstance(result, tuple) else result  # a pair before torch 2.5

    return Task(
        run=run,
        error=partial(product_error, run, a, b),
        tolerance=TOLERANCE["fp8"],
        note="operands already quantised, both along k",
    )


def _in_precision(wanted: str, product: Callable[[], Any]) -> Any:
    with fp32_precision(wanted):
        return product()


@contextmanager
def fp32_precision(wanted: str) -> Iterator[None]:
    """Let fp32 products run as ``tf32`` or as ``ieee``, and leave the setting as it was."""
    matmul = torch.backends.cuda.matmul
    if hasattr(matmul, "fp32_precision"):  # since torch 2.9, which warns of the older name
        name: str = "fp32_precision"
        value: object = wanted
    else:
        name, value = "allow_tf32", wanted == "tf32"
    before = getattr(matmul, name)
    setattr(matmul, name, value)
    try:
        yield
    finally:
        setattr(matmul, name, before)
