"""Which shapes are measured, and in what order."""

import itertools
import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.hardware_profiles.measure import shapes
from plan3d.hardware_profiles.measure.plan.extent import FULL as FULL_EXTENT
from plan3d.hardware_profiles.measure.plan.linears import Linear, linears, products
from plan3d.hardware_profiles.measure.plan.sizes import WIDTH, held_bytes
from plan3d.hardware_profiles.measure.plan.spread import farthest_first, in_turns
from plan3d.hardware_profiles.points import KINDS, Shape
from plan3d.simulator.errors import InputError
from plan3d.simulator.model import ModelSpec
from tests.hardware_profiles.measure.models import DENSE, OLD, SPARSE

ALL = ("bf16", "fp16", "fp8", "tf32", "fp32")
FULL = shapes([DENSE, OLD, SPARSE], device="cuda", dtypes=ALL, ranks=16, nodes=2)
models = st.builds(
    ModelSpec,
    layers=st.just(1),
    hidden=st.integers(1, 128).map(lambda i: 64 * i),
    heads=st.sampled_from([4, 8, 16, 40]),
    kv_heads=st.sampled_from([1, 2, 4]),
    head_dim=st.sampled_from([64, 80, 128]),
    ffn=st.integers(16, 512).map(lambda i: 64 * i),
    vocab=st.integers(1000, 200_000),
    gated=st.booleans(),
)


def test_every_kind_role_and_type_is_there() -> None:
    assert {s.kind for s in FULL} == set(KINDS)
    gemms = {(s.op, s.dtype) for s in FULL if s.kind == "gemm"}
    assert gemms == {(op, dtype) for op in ("forward", "dgrad", "wgrad") for dtype in ALL}
    cores = [s for s in FULL if s.kind == "attention"]
    assert {s.op for s in cores} == {"flash", "cudnn", "efficient", "math"}
    assert {s.head_dim for s in cores} == {64, 128}
    assert {s.heads // s.kv_heads for s in cores} == {1, 4, 8}
    assert {(s.causal, s.direction) for s in cores} == {
        (causal, direction) for causal in (0, 1) for direction in ("forward", "backward")
    }
    assert {s.seq for s in cores} == {512, 1024, 2048, 4096, 8192, 16384}
    assert max(s.seq for s in cores if s.op == "math") == 2048
    messages = [s for s in FULL if s.kind == "collective"]
    assert {s.op for s in messages} == {
        "all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send_recv",
    }  # fmt: skip
    assert {(s.ranks, s.nodes) for s in messages if s.op == "all_reduce"} == {
        (2, 1), (4, 1), (8, 1), (16, 2),
    }  # fmt: skip
    assert {s.nodes for s in messages if s.op == "send_recv"} == {1, 2}


def test_no_shape_twice() -> None:
    assert len(set(FULL)) == len(FULL)


def test_the_first_few_have_every_kind() -> None:
    assert {s.kind for s in FULL[:60]} == set(KINDS)
    first = [s for s in FULL[:120] if s.kind == "gemm" and s.dtype == "bf16"]
    assert {s.op for s in first} == {"forward", "dgrad", "wgrad"}
    assert max(s.m for s in first) / min(s.m for s in first) >= 16


def test_the_looks_at_the_sustained_load_are_neighbours_in_time() -> None:
    places = [i for i, s in enumerate(FULL) if s.kind == "sustained"]
    assert places == list(range(places[0], places[0] + len(places)))
    elapsed = [FULL[i].elapsed_s for i in places]
    assert elapsed == sorted(elapsed)


def test_each_product_beside_an_all_reduce_is_measured_alone_too() -> None:
    alone = {(s.m, s.n, s.k) for s in FULL if s.kind == "gemm" and s.op == "forward"}
    beside = {(s.m, s.n, s.k) for s in FULL if s.kind == "contention"}
    assert beside
    assert beside <= alone


def test_linear_layers_by_hand() -> None:
    assert list(linears(DENSE, 4)) == [
        Linear(outputs=(8 + 2 * 2) * 128, inputs=4096),
        Linear(outputs=4096, inputs=1024),
        Linear(outputs=2 * 14336 // 4, inputs=4096),
        Linear(outputs=4096, inputs=3584),
        Linear(outputs=32128, inputs=4096),  # 128,256 / 4 = 32,064, to the next 128
    ]
    assert list(linears(replace(DENSE, heads=36, kv_heads=4), 8)) == []
    sparse = list(linears(SPARSE, 1))
    assert Linear(outputs=2048, inputs=2048, tokens=0.25) in sparse
    assert Linear(outputs=16 * 256, inputs=256) in sparse


def test_the_three_products_of_one_layer() -> None:
    # sequences of 2,048, micro-batch 1: the down projection of OLD, whole, is 8,192 to 2,048
    one = replace(FULL_EXTENT, tps=(1,), micro_batches=(1,))
    found = {(s.op, s.m, s.n, s.k) for s in products([OLD], "bf16", 512, one)}
    assert {
        ("forward", 2048, 2048, 8192),
        ("dgrad", 2048, 8192, 2048),
        ("wgrad", 2048, 8192, 2048),
    } <= found
    assert len(found) == 5 * 3


@given(st.lists(models, min_size=1, max_size=2), st.sampled_from(["cuda", "cpu"]), st.booleans())
def test_any_models_give_shapes_that_can_run(
    several: list[ModelSpec], device: str, small: bool
) -> None:
    found = shapes(several, device=device, dtypes=("bf16", "fp8"), small=small, memory_bytes=16e9)
    assert len(set(found)) == len(found)
    assert {s.kind for s in found} >= {"gemm", "memory", "optimizer", "copy", "floor", "sustained"}
    for s in found:
        assert held_bytes(s) <= 16e9
        if s.kind == "gemm":
            assert min(s.m, s.n, s.k) > 0
            assert s.m % 16 == s.n % 16 == s.k % 16 == 0


def test_less_memory_leaves_out_the_largest_only() -> None:
    def largest(memory_bytes: float) -> int:
        found = shapes([DENSE], device="cuda", dtypes=("bf16",), memory_bytes=memory_bytes)
        return max(s.n for s in found if s.kind == "optimizer")

    assert largest(80e9) == 10**9
    assert largest(16e9) == 10**8


@given(st.lists(st.tuples(*[st.integers(1, 10**5)] * 3), min_size=1, max_size=40, unique=True))
def test_farthest_first_is_an_order_and_covers_within_twice_the_best(
    sizes: list[tuple[int, int, int]],
) -> None:
    some = [Shape(kind="gemm", op="forward", m=m, n=n, k=k) for m, n, k in sizes]
    order = farthest_first(some, len(some))
    assert sorted(order, key=repr) == sorted(some, key=repr)
    few = farthest_first(some, 4)
    assert few == order[:4]

    def apart(a: Shape, b: Shape) -> float:
        return math.dist(*([math.log2(x) for x in (s.m, s.n, s.k)] for s in (a, b)))

    # nothing is farther from the few than they are from each other: hence the factor of two
    radius = max(min(apart(s, near) for near in few) for s in some)
    closest = min((apart(a, b) for a, b in itertools.combinations(few, 2)), default=math.inf)
    assert closest >= radius - 1e-9


def test_farthest_first_goes_to_the_ends() -> None:
    line = [Shape(kind="copy", op="device", size_bytes=2**i) for i in range(11)]
    assert [s.size_bytes for s in farthest_first(line, 3)] in ([32, 1, 1024], [32, 1024, 1])


def test_turns() -> None:
    a, b = ([Shape(kind="floor", op=op, n=i) for i in (1, 2, 3)] for op in ("a", "b"))
    taken = [f"{s.op}{s.n}" for s in in_turns({"a": a, "b": b}, {"a": 2, "b": 1})]
    assert taken == ["a1", "a2", "b1", "a3", "b2", "b3"]


def test_types_have_widths() -> None:
    assert set(ALL) == set(WIDTH)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": []}, "no models"),
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"dtypes": ("int8",)}, "no type of matrix products 'int8'"),
        ({"dtypes": ()}, "no types"),
        ({"ranks": 3, "nodes": 2}, "3 ranks do not spread evenly over 2 nodes"),
    ],
)
def test_what_cannot_be_planned_is_refused(changes: dict[str, object], words: str) -> None:
    question = {"models": [DENSE], "device": "cuda", "dtypes": ("bf16",)} | changes
    with pytest.raises(InputError, match=words):
        shapes(**question)  # type: ignore[arg-type]


def test_planning_does_not_import_torch() -> None:
    program = (
        "import sys, plan3d.hardware_profiles, plan3d.hardware_profiles.measure;"
        "sys.exit('torch' in sys.modules or 'pynvml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
