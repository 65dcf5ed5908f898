"""Every kind, tiny, on the CPU: it runs, its result is right, and a wrong one is found out."""

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from plan3d.hardware_profiles.measure import shapes  # noqa: E402
from plan3d.hardware_profiles.measure.device import Device  # noqa: E402
from plan3d.hardware_profiles.measure.kernels import (  # noqa: E402
    attention,
    floors,
    gemm,
    memory_bound,
    rowwise,
)
from plan3d.hardware_profiles.measure.kernels.table import BUILDS  # noqa: E402
from plan3d.hardware_profiles.measure.plan.sizes import MEMORY_OPS  # noqa: E402
from plan3d.hardware_profiles.measure.task import Task, UnsupportedError  # noqa: E402
from plan3d.hardware_profiles.measure.timing import time_kernel  # noqa: E402
from plan3d.hardware_profiles.points import Shape  # noqa: E402
from tests.hardware_profiles.measure.models import DENSE  # noqa: E402

SMALL = [
    shape
    for shape in shapes([DENSE], device="cpu", dtypes=("bf16", "fp16", "fp32"), small=True)
    if shape.kind in BUILDS
]


def made(**sizes: Any) -> Shape:
    return Shape(**({"dtype": "fp32"} | sizes))


def product(op: str = "forward", **changes: Any) -> Shape:
    return made(**({"kind": "gemm", "op": op, "m": 48, "n": 32, "k": 64} | changes))


def core(**changes: Any) -> Shape:
    sizes = {"kind": "attention", "op": "math", "direction": "forward", "batch": 2, "heads": 4,
             "kv_heads": 2, "seq": 32, "head_dim": 16, "causal": 1}  # fmt: skip
    return made(**(sizes | changes))


def off(task: Task) -> bool:
    return not task.error() <= task.tolerance


@pytest.mark.parametrize(
    "shape", SMALL, ids=lambda s: f"{s.kind}-{s.op}-{s.direction}-{s.dtype}-{s.n}-{s.seq}"
)
def test_it_runs_and_its_result_is_right(shape: Shape, cpu: Device) -> None:
    torch.manual_seed(1)
    task = BUILDS[shape.kind](shape, cpu)
    assert not off(task)
    assert time_kernel(task, cpu, target_s=0.0).time_s > 0


def test_these_are_all_kinds_of_one_process() -> None:
    assert {s.kind for s in SMALL} == set(BUILDS) - {"collective", "contention"}
    assert {(s.op, s.direction) for s in SMALL if s.kind == "memory"} == set(MEMORY_OPS)


@pytest.mark.parametrize(("op", "a", "b"), [
    ("forward", (64, 1), (1, 64)), ("dgrad", (64, 1), (32, 1)), ("wgrad", (1, 48), (32, 1)),
])  # fmt: skip
def test_operands_lie_as_in_training(op: str, a: Any, b: Any, cpu: Device) -> None:
    left, right = gemm.operands(product(op), cpu)
    assert (left.shape, right.shape) == ((48, 64), (64, 32))
    assert (left.stride(), right.stride()) == (a, b)


def test_operands_are_not_zeros(cpu: Device) -> None:
    left, right = gemm.operands(product(dtype="bf16"), cpu)
    for tensor in (left, right):
        assert float(tensor.float().std()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("op", ["forward", "dgrad", "wgrad"])
@pytest.mark.parametrize("dtype", ["bf16", "fp16", "fp32"])
def test_a_wrong_product(op: str, dtype: str, cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    right = torch.mm
    monkeypatch.setattr(torch, "mm", lambda a, b, out: out.copy_(right(a, b) + 1))
    assert off(gemm.build(product(op, dtype=dtype), cpu))


@pytest.mark.parametrize("op", ["forward", "dgrad", "wgrad"])
def test_eight_bits(op: str, cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        task = gemm.build(product(op, dtype="fp8"), cpu)
        assert not off(task)
    except (RuntimeError, UnsupportedError):
        pytest.skip("this torch has no 8-bit products on a CPU")
    right = torch._scaled_mm
    monkeypatch.setattr(torch, "_scaled_mm", lambda a, b, **how: 1.2 * right(a, b, **how))
    assert off(task)


def test_eight_bits_of_odd_sizes_are_unsupported(cpu: Device) -> None:
    with pytest.raises(UnsupportedError, match="divisible by 16"):
        gemm.build(product(dtype="fp8", n=40, k=24), cpu)


def test_types_that_a_device_does_not_have(cpu: Device) -> None:
    with pytest.raises(UnsupportedError, match="tf32"):
        gemm.build(product(dtype="tf32"), cpu)


def test_settings_are_left_as_they_were() -> None:
    matmul = torch.backends.cuda.matmul
    name = "fp32_precision" if hasattr(matmul, "fp32_precision") else "allow_tf32"
    before = getattr(matmul, name)

    def fail() -> None:
        with gemm.fp32_precision("tf32"):
            assert getattr(matmul, name) in ("tf32", True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert getattr(matmul, name) == before


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_attention_is_compared_with_its_definition(
    direction: str, causal: int, kv_heads: int, cpu: Device
) -> None:
    shape = core(direction=direction, causal=causal, kv_heads=kv_heads)
    assert attention.build(shape, cpu).error() < 1e-5


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_forgotten_mask(direction: str, cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    right = attention.scaled_dot_product_attention

    def unmasked(*qkv: Any, is_causal: bool, **how: Any) -> Any:  # noqa: ARG001
        return right(*qkv, is_causal=False, **how)

    monkeypatch.setattr(attention, "scaled_dot_product_attention", unmasked)
    assert off(attention.build(core(direction=direction), cpu))


def test_an_attention_kernel_that_is_not_here_says_why(cpu: Device) -> None:
    with pytest.raises(UnsupportedError, match=r"\w+ \w+"):
        attention.build(core(op="efficient", kv_heads=4), cpu)
    with pytest.raises(UnsupportedError, match="no attention kernel 'sparse'"):
        attention.build(core(op="sparse"), cpu)


WRONG: dict[str, Callable[..., Any]] = {
    "layernorm": lambda rows, weights: rows[0] * weights[0] + weights[1],
    "rmsnorm": lambda rows, weights: rows[0] * weights[0],
    "gelu": lambda rows, weights: torch.relu(rows[0]),  # noqa: ARG005
    "swiglu": lambda rows, weights: rows[0][:, ::2] * rows[0][:, 1::2],  # noqa: ARG005
    "softmax": lambda rows, weights: torch.softmax(rows[0], dim=0),  # noqa: ARG005
    "residual": lambda rows, weights: rows[0] - rows[1],  # noqa: ARG005
    "rotary": lambda rows, weights: rows[0] * rows[1].repeat(1, 1),  # noqa: ARG005
    "cross_entropy": lambda rows, weights: rows[0].logsumexp(-1),  # noqa: ARG005
}


@pytest.mark.parametrize(("op", "direction"), [each for each in MEMORY_OPS if each[0] in WRONG])
@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_a_wrong_memory_bound_kernel(
    op: str, direction: str, dtype: str, cpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = made(kind="memory", op=op, direction=direction, dtype=dtype, m=64, n=128)
    assert not off(memory_bound.build(shape, cpu))
    operation = rowwise.OPERATIONS[op]
    wrong = rowwise.Operation(
        eager=WRONG[op], reference=operation.reference, wide=operation.wide,
        rows=operation.rows, weights=operation.weights,
    )  # fmt: skip
    monkeypatch.setitem(memory_bound.OPERATIONS, op, wrong)
    assert off(memory_bound.build(shape, cpu))


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_wrong_dropout(direction: str, cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = made(kind="memory", op="dropout", direction=direction, m=256, n=256)
    right = memory_bound.functional.dropout
    assert not off(memory_bound.build(shape, cpu))
    for wrong in (lambda x: right(x, 0.3), lambda x: right(x, 0.1) * 1.1, lambda x: x * 1.0):
        monkeypatch.setattr(
            memory_bound.functional,
            "dropout",
            lambda x, p, training, wrong=wrong: wrong(x),  # noqa: ARG005
        )
        assert off(memory_bound.build(shape, cpu))


def test_a_wrong_step_of_adam(cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = made(kind="optimizer", op="adam", n=5000)
    build = BUILDS["optimizer"]
    assert not off(build(shape, cpu))
    monkeypatch.setattr(torch.optim, "AdamW", torch.optim.Adam)  # whose decay goes into moments
    assert off(build(shape, cpu))


def test_adam_over_several_tensors(cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    from plan3d.hardware_profiles.measure.kernels import optimizer  # noqa: PLC0415

    monkeypatch.setattr(optimizer, "LARGEST", 1000)
    held: list[Any] = []
    right = torch.optim.AdamW
    monkeypatch.setattr(
        torch.optim, "AdamW", lambda tensors, **how: held.extend(tensors) or right(tensors, **how)
    )
    assert not off(optimizer.build(made(kind="optimizer", op="adam", n=2500), cpu))
    assert [t.numel() for t in held] == [1000, 1000, 500]


def test_a_copy_that_does_not_copy(cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "copy_", lambda self, source, non_blocking: self)  # noqa: ARG005
    assert off(BUILDS["copy"](made(kind="copy", op="device", size_bytes=4096), cpu))


def test_a_cpu_has_no_host_link(cpu: Device) -> None:
    with pytest.raises(UnsupportedError, match="host link"):
        BUILDS["copy"](made(kind="copy", op="host_to_device", size_bytes=4096), cpu)


def test_floors_count_their_kernels(cpu: Device) -> None:
    launch = floors.build(made(kind="floor", op="launch", n=7), cpu)
    dispatch = floors.build(made(kind="floor", op="dispatch", n=9), cpu)
    assert (launch.per, launch.host_clock) == (7, False)
    assert (dispatch.per, dispatch.host_clock) == (9, True)
    assert launch.error() == 0
    floors_s = time_kernel(launch, cpu, target_s=0.0).time_s
    assert 0 < floors_s < 1e-3


def test_larger_takes_longer(cpu: Device) -> None:
    for small, large in (
        (product(m=64, n=64, k=64), product(m=512, n=512, k=512)),
        (core(seq=16), core(seq=512)),
        (made(kind="memory", op="gelu", direction="forward", m=16, n=64),
         made(kind="memory", op="gelu", direction="forward", m=1024, n=1024)),
        (made(kind="optimizer", op="adam", n=100), made(kind="optimizer", op="adam", n=10**6)),
        (made(kind="copy", op="device", size_bytes=4096),
         made(kind="copy", op="device", size_bytes=2**25)),
    ):  # fmt: skip
        times = [
            time_kernel(BUILDS[s.kind](s, cpu), cpu, target_s=0.01).time_s for s in (small, large)
        ]
        assert times[1] > 2 * times[0], small.kind


def test_collectives_need_several_ranks(cpu: Device) -> None:
    shape = made(kind="collective", op="all_reduce", size_bytes=1024, ranks=2)
    with pytest.raises(UnsupportedError, match="torchrun"):
        BUILDS["collective"](shape, cpu)
