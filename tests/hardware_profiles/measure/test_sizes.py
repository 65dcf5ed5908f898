"""Bytes by hand."""

import pytest

from plan3d.hardware_profiles.measure.plan.sizes import MEMORY_OPS, held_bytes, moved_bytes
from plan3d.hardware_profiles.points import Shape


@pytest.mark.parametrize(
    ("op", "direction", "want"),
    [
        # 10 rows of 100 in 2 bytes: one tensor is 2,000 bytes
        ("layernorm", "forward", 4000),
        ("layernorm", "backward", 6000),
        ("rmsnorm", "forward", 4000),
        ("rmsnorm", "backward", 6000),
        ("gelu", "forward", 4000),
        ("gelu", "backward", 6000),
        ("swiglu", "forward", 6000),
        ("swiglu", "backward", 10_000),
        ("dropout", "forward", 5000),  # and a mask of 1,000
        ("dropout", "backward", 5000),
        ("softmax", "forward", 4000),
        ("softmax", "backward", 6000),
        ("residual", "forward", 6000),
        ("rotary", "forward", 4000),
        ("rotary", "backward", 4000),
        ("cross_entropy", "forward", 2000),
        ("cross_entropy", "backward", 4000),
    ],
)
def test_least_bytes(op: str, direction: str, want: int) -> None:
    assert moved_bytes(op, direction, 10, 100, "bf16") == want
    assert (op, direction) in MEMORY_OPS


def test_wider_elements_move_more_but_the_mask_stays() -> None:
    assert moved_bytes("dropout", "forward", 10, 100, "fp32") == 8000 + 1000


def test_held_by_hand() -> None:
    gemm = Shape(kind="gemm", op="forward", m=10, n=20, k=30)
    assert held_bytes(gemm) == 2 * (300 + 600 + 200)
    core = Shape(kind="attention", op="flash", direction="forward", batch=2, heads=4, kv_heads=2,
                 seq=8, head_dim=16)  # fmt: skip
    # q and o of 4 heads, k and v of 2: 12 rows of 16 elements per token
    assert held_bytes(core) == 16 * 12 * 16 * 2
    adam = Shape(kind="optimizer", op="adam", dtype="fp32", n=10**6)
    assert held_bytes(adam) == 16e6
