"""Scaled dot-product attention with one kernel of torch, forward or backward."""

import math
import warnings
from functools import partial
from typing import Any, Final

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from plan3d.hardware_profiles.measure.device import Device
from plan3d.hardware_profiles.measure.failure import out_of_memory
from plan3d.hardware_profiles.measure.kernels.compare import TOLERANCE, TYPES, error, sampled
from plan3d.hardware_profiles.measure.task import Task, UnsupportedError
from plan3d.hardware_profiles.points.point import Shape

BACKENDS: Final = {
    "flash": "FLASH_ATTENTION",
    "cudnn": "CUDNN_ATTENTION",
    "efficient": "EFFICIENT_ATTENTION",
    "math": "MATH",
}
ROWS: Final = 8
"""Queries of one head that are compared with a reference. [1]"""


def build(shape: Shape, device: Device) -> Task:
    """Make an attention core ready; heads lie beside each other in a token, as projections do."""
    if shape.op not in BACKENDS or not hasattr(SDPBackend, BACKENDS[shape.op]):
        raise UnsupportedError(f"torch {torch.__version__} has no attention kernel {shape.op!r}")
    backward = shape.direction == "backward"

    def heads(count: int, *, leaf: bool = True) -> Any:
        sizes = (shape.batch, shape.seq, count, shape.head_dim)
        tensor = device.normal(*sizes, dtype=TYPES[shape.dtype]).transpose(1, 2)
        return tensor.requires_grad_(leaf and backward)

    q, k, v = heads(shape.heads), heads(shape.kv_heads), heads(shape.kv_heads)
    forward = partial(_forward, shape, (q, k, v))
    out = _refused_or(forward)
    if not backward:
        return Task(
            run=forward,
            error=lambda: _error(shape, (q, k, v), forward(), None, None),
            tolerance=TOLERANCE[shape.dtype],
        )
    dy = heads(shape.heads, leaf=False)

    def run() -> Any:
        return torch.autograd.grad(out, (q, k, v), dy, retain_graph=True)

    return Task(
        run=run,
        error=lambda: _error(shape, (q, k, v), None, dy, run()[0]),
        tolerance=TOLERANCE[shape.dtype],
    )


def _forward(shape: Shape, qkv: tuple[Any, Any, Any]) -> Any:
    grouped: dict[str, Any] = {"enable_gqa": True} if shape.kv_heads != shape.heads else {}
    with sdpa_kernel(getattr(SDPBackend, BACKENDS[shape.op])):
        return scaled_dot_product_attention(*qkv, is_causal=bool(shape.causal), **grouped)


def _refused_or(forward: Any) -> Any:
    """Return the first result; torch explains in warnings why a kernel does not take a shape."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            return forward()
        except TypeError:
            reason = f"torch {torch.__version__} has no grouped heads"
        except RuntimeError as refusal:
            if out_of_memory(refusal):
                raise
            why = [str(w.message).split(" (Triggered")[0] for w in said]
            reason = " ".join(why) or str(refusal).splitlines()[0]
    raise UnsupportedError(reason)


def _error(shape: Shape, qkv: tuple[Any, Any, Any], out: Any, dy: Any, dq: Any) -> float:
    """Return the error of some queries of the last head: of their output, or of their gradient.

    P = softmax(q K^T / sqrt(d)), o = P V; dP = do V^T, dS = P (dP - sum(dP P)), dq = dS K / sqrt(d)
    """
    group = shape.heads // shape.kv_heads
    head = shape.heads - 1
    rows = sampled(shape.seq, ROWS, qkv[0].device)
    q = qkv[0][-1, head][rows].double().detach()
    k, v = (t[-1, head // group].double().detach() for t in qkv[1:])
    scale = 1 / math.sqrt(shape.head_dim)
    scores = q @ k.t() * scale
    if shape.causal:
        keys = torch.arange(shape.seq, device=rows.device)
        scores = scores.masked_fill(keys[None, :] > rows[:, None], -math.inf)
    weights = torch.softmax(scores, dim=-1)
    if dq is None:
        return error(out[-1, head][rows].detach(), weights @ v)
    d_weights = dy[-1, head][rows].double() @ v.t()
    d_scores = weights * (d_weights - (d_weights * weights).sum(dim=-1, keepdim=True))
    return error(dq[-1, head][rows], d_scores @ k * scale)
