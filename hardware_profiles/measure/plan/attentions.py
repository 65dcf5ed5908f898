"""Attention shapes: every kernel, mask, head width and grouping, over the heads of models."""

import itertools
from collections.abc import Sequence
from typing import Final

from plan3d.hardware_profiles.measure.plan.extent import Extent
from plan3d.hardware_profiles.points.point import Shape
from plan3d.simulator.model import ModelSpec

KERNELS: Final = {"cuda": ("flash", "cudnn", "efficient", "math"), "cpu": ("flash", "math")}
"""Kernels of scaled dot-product attention that a device may have."""
HEAD_DIMS: Final = (64, 128)
GROUPS: Final = (1, 4, 8)
"""Query heads that share one key head."""
UNGROUPED: Final = ("efficient",)
"""Kernels that take as many key heads as query heads only."""
TOKENS: Final = 16_384
"""Of one measurement at most, where the sequence is shorter: several sequences fill the GPU."""


def attentions(models: Sequence[ModelSpec], kernel: str, dtype: str, extent: Extent) -> list[Shape]:
    """Return the attention shapes of one kernel, forward and backward."""
    heads = sorted(
        {
            min(model.heads // tp, extent.most_heads)
            for model in models
            for tp in extent.tps
            if model.heads % tp == 0
        }
    )
    longest = extent.longest_unfused if kernel == "math" else max(extent.attention_seqs)
    seqs = [seq for seq in extent.attention_seqs if seq <= longest]
    found: dict[Shape, None] = {}
    for count, group, head_dim, seq in itertools.product(heads, GROUPS, HEAD_DIMS, seqs):
        if count % group or (group > 1 and kernel in UNGROUPED):
            continue
        for batch in sorted({1, min(max(extent.micro_batches), max(1, TOKENS // seq))}):
            for causal, direction in itertools.product((1, 0), ("forward", "backward")):
                shape = Shape(
                    kind="attention", op=kernel, dtype=dtype, direction=direction, batch=batch,
                    heads=count, kv_heads=count // group, seq=seq, head_dim=head_dim,
                    causal=causal,
                )  # fmt: skip
                found[shape] = None
    return list(found)
