"""The memory-bound operations of a transformer, each beside its definition in plain arithmetic."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch.nn import functional

EPSILON: Final = 1e-5
KEPT: Final = 0.9
"""Fraction of the values that dropout keeps. [1]"""
ROTARY_HEAD: Final = 128

Tensors = Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation on rows; each takes the tensors of rows, then the weights."""

    eager: Callable[[Tensors, Tensors], Any]
    """As torch runs it without a compiler."""
    reference: Callable[[Tensors, Tensors], Any]
    wide: int = 1
    """Width of its rows over n. [1]"""
    rows: int = 1
    """Tensors of rows that have gradients. [1]"""
    weights: int = 0
    """Vectors of n weights. [1]"""
    kernels: str = "1"
    """Kernels of the forward pass that torch runs."""


def _layernorm(rows: Tensors, weights: Tensors) -> Any:
    x = rows[0]
    return functional.layer_norm(x, (x.shape[-1],), weights[0], weights[1], EPSILON)


def _layernorm_reference(rows: Tensors, weights: Tensors) -> Any:
    centred = rows[0] - rows[0].mean(-1, keepdim=True)
    variance = (centred * centred).mean(-1, keepdim=True)
    return centred / (variance + EPSILON).sqrt() * weights[0] + weights[1]


def _rmsnorm(rows: Tensors, weights: Tensors) -> Any:
    x = rows[0]
    return functional.rms_norm(x, (x.shape[-1],), weights[0], EPSILON)


def _rmsnorm_reference(rows: Tensors, weights: Tensors) -> Any:
    x = rows[0]
    return x / ((x * x).mean(-1, keepdim=True) + EPSILON).sqrt() * weights[0]


def _gelu(rows: Tensors, weights: Tensors) -> Any:  # noqa: ARG001  # the signature of all
    return functional.gelu(rows[0], approximate="tanh")


def _gelu_reference(rows: Tensors, weights: Tensors) -> Any:  # noqa: ARG001
    x = rows[0]
    return 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))


def _swiglu(rows: Tensors, weights: Tensors) -> Any:  # noqa: ARG001
    gate, up = rows[0].chunk(2, dim=-1)
    return functional.silu(gate) * up


def _swiglu_reference(rows: Tensors, weights: Tensors) -> Any:  # noqa: ARG001
    n = rows[0].shape[-1] // 2
    gate, up = rows[0][:, :n], rows[0][:, n:]
    return gate / (1 + torch.exp(-gate)) * up


def _softmax(rows: Tensors, weights: Tensors) -> Any:  # noqa: ARG001
    return torch.softmax(rows[0], dim=-1)


def _softmax_reference(rows: Tensors, weights: Tensors) -> Any:  # noqa: ARG001
    powers = torch.exp(rows[0] - rows[0].max(-1, keepdim=True).values)
    return powers / powers.sum(-1, keepdim=True)


def _residual(rows: Tensors, weights: Tensors) -> Any:  # noqa: ARG001
    return torch.add(rows[0], rows[1])


def _residual_reference(rows: Tensors, weights: Tensors) -> Any:  # noqa: ARG001
    return rows[0] + rows[1]


def _rotary(rows: Tensors, weights: Tensors) -> Any:  # noqa: ARG001
    """Turn each head by the angles of its row: `rows` are x, cosines, sines."""
    x, cosines, sines = rows
    heads = x.view(x.shape[0], -1, cosines.shape[-1])
    first, second = heads.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return (heads * cosines[:, None] + turned * sines[:, None]).flatten(1)


def _rotary_reference(rows: Tensors, weights: Tensors) -> Any:  # noqa: ARG001
    """Multiply complex numbers, whose parts lie half a head apart."""
    x, cosines, sines = rows
    half = cosines.shape[-1] // 2
    heads = x.reshape(x.shape[0], -1, 2, half)
    numbers = torch.complex(heads[:, :, 0], heads[:, :, 1])
    angles = torch.complex(cosines[:, :half], sines[:, :half])[:, None]
    turned = numbers * angles
    return torch.stack((turned.real, turned.imag), dim=2).flatten(1)


def _cross_entropy(rows: Tensors, weights: Tensors) -> Any:  # noqa: ARG001
    return functional.cross_entropy(rows[0], rows[1], reduction="none")


def _cross_entropy_reference(rows: Tensors, weights: Tensors) -> Any:  # noqa: ARG001
    logits, targets = rows
    highest = logits.max(-1).values
    total = torch.exp(logits - highest[:, None]).sum(-1)
    return total.log() + highest - logits.gather(1, targets[:, None])[:, 0]


OPERATIONS: Final = {
    "layernorm": Operation(eager=_layernorm, reference=_layernorm_reference, weights=2),
    "rmsnorm": Operation(
        eager=_rmsnorm, reference=_rmsnorm_reference, weights=1, kernels="1, or several before 2.9"
    ),
    "gelu": Operation(eager=_gelu, reference=_gelu_reference),
    "swiglu": Operation(eager=_swiglu, reference=_swiglu_reference, wide=2, kernels="2"),
    "softmax": Operation(eager=_softmax, reference=_softmax_reference),
    "residual": Operation(eager=_residual, reference=_residual_reference, rows=2),
    "rotary": Operation(eager=_rotary, reference=_rotary_reference, kernels="5"),
    "cross_entropy": Operation(
        eager=_cross_entropy, reference=_cross_entropy_reference, kernels="2"
    ),
}
"""All but dropout, which is random and so compared otherwise."""
