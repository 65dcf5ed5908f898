"""Comparing sampled results with a reference in float64."""

from typing import Any, Final

import torch

TOLERANCE: Final = {"fp8": 0.04, "bf16": 0.02, "fp16": 5e-3, "tf32": 5e-3, "fp32": 1e-4}
"""Largest error that rounding and the order of summation explain, by type of the operands."""
TYPES: Final = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "tf32": torch.float32,
    "fp32": torch.float32,
}


def sampled(size: int, count: int, device: Any) -> Any:
    """Return up to `count` indices spread over a dimension, both ends among them."""
    places = torch.linspace(0, size - 1, min(count, size), device=device, dtype=torch.float64)
    return places.round().long()


def error(result: Any, reference: Any) -> float:
    """Return the largest difference over the largest of the reference [1].

    One reference that is zero everywhere leaves the difference itself.
    """
    difference = float((result.double() - reference.double()).abs().max())
    scale = float(reference.double().abs().max())
    return difference / scale if scale > 0 else difference
