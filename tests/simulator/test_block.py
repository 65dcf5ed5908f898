"""One block: its products listed by hand, its traffic counted, published layer times."""

from dataclasses import replace

import pytest

from plan3d.simulator.attention import (
    AttentionShape,
    fused_backward_s,
    fused_forward_s,
    unfused_forward_s,
)
from plan3d.simulator.block import block_time
from plan3d.simulator.collectives import all_reduce_s
from plan3d.simulator.context import Context
from plan3d.simulator.kernels import linear_backward_s, linear_forward_s
from plan3d.simulator.layout import Layout
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.placement import Group
from plan3d.simulator.workload import PRECISIONS, Workload
from tests.simulator.jobs import (
    A100,
    BUSY,
    DGX,
    GPT,
    LATENT,
    LLAMA,
    MIXTURE,
    MODELS,
    PLAIN,
    WIRE,
    WORK,
    one,
)

T = 2 * 1024
"""Tokens of two sequences."""
Product = tuple[float, float, float, float]
"""Rows, columns, summed, products of a launch."""


def context(model: ModelSpec = GPT) -> Context:
    return Context(model=model, work=WORK, cluster=DGX, software=PLAIN)


DENSE_TP8: list[Product] = [
    (T, 1024 / 8, 1024, 1),  # queries
    (T, 2 * 4 * 64 / 4, 1024, 1),  # keys and values: 4 heads cannot be cut over 8 ranks
    (T, 1024, 1024 / 8, 1),
]
PRODUCTS: dict[str, tuple[ModelSpec, Layout, list[Product]]] = {
    "gpt": (
        GPT, Layout(micro_batch=2),
        [(T, 512, 512, 1), (T, 1024, 512, 1), (T, 512, 512, 1), (T, 2048, 512, 1),
         (T, 512, 2048, 1)],
    ),
    "llama, gate and up together": (
        LLAMA, Layout(tp=8, micro_batch=2),
        [*DENSE_TP8, (T, 2 * 2816 / 8, 1024, 1), (T, 1024, 2816 / 8, 1)],
    ),
    "mixture, all layers of experts": (
        replace(MIXTURE, experts=replace(MIXTURE.experts, dense_first=0)),  # type: ignore[type-var]
        Layout(tp=8, etp=2, ep=4, dp=2, micro_batch=2),
        [*DENSE_TP8, (T, 2 * 512 / 8, 1024, 1), (T, 1024, 512 / 8, 1),
         # Two of the eight experts; each token goes to two; a quarter of the tokens is here.
         (T * 2 / 8 * 2 / 2, 2 * 1408 / 2, 1024, 2), (T * 2 / 8 * 2 / 2, 1024, 1408 / 2, 2),
         (T / 8, 8, 1024, 1)],
    ),
    "latent attention": (
        replace(LATENT, experts=None), Layout(tp=2, micro_batch=2),
        [(T, 16 * 96 / 2, 384, 1), (T, 384, 1024, 1), (T, 128 + 32, 1024, 1),
         (T, 16 * (64 + 64) / 2, 128, 1), (T, 1024, 16 * 64 / 2, 1),
         (T, 2 * 2816 / 2, 1024, 1), (T, 1024, 2816 / 2, 1)],
    ),
    "latent attention without compressed queries": (
        replace(LATENT, experts=None, latent=replace(LATENT.latent, q_rank=0)),  # type: ignore[type-var]
        Layout(micro_batch=2),
        [(T, 16 * 96, 1024, 1), (T, 128 + 32, 1024, 1), (T, 16 * (64 + 64), 128, 1),
         (T, 1024, 16 * 64, 1), (T, 2 * 2816, 1024, 1), (T, 1024, 2816, 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_products_of_a_block(name: str) -> None:
    model, layout, products = PRODUCTS[name]
    block = block_time(context(model), one(layout))
    for found, linear_s in (
        (block.forward, linear_forward_s), (block.backward, linear_backward_s),
    ):  # fmt: skip
        expected = sum(linear_s(m, n, k, A100, "bf16", batch=b) for m, n, k, b in products)
        assert found.matmul_s[0] == pytest.approx(expected)


def test_a_context_parallel_rank_has_its_part_of_the_tokens() -> None:
    whole = block_time(context(), one(Layout()))
    part = block_time(context(), one(Layout(micro_batch=4, cp=4)))
    assert part.forward.matmul_s[0] == whole.forward.matmul_s[0]


def test_the_mean_block_of_a_mixture() -> None:
    """2 of 16 layers are dense, 14 have experts."""
    layout = one(Layout(tp=2, ep=2, dp=2))
    assert MIXTURE.experts is not None
    all_experts = replace(MIXTURE, experts=replace(MIXTURE.experts, dense_first=0))
    dense, mixed, experts = (
        block_time(context(m), layout).backward for m in (LLAMA, MIXTURE, all_experts)
    )
    for name in ("matmul_s", "elementwise_s", "tp_comm_s", "ep_comm_s"):
        mean = (2 * getattr(dense, name) + 14 * getattr(experts, name)) / 16
        assert getattr(mixed, name) == pytest.approx(mean), name


@pytest.mark.parametrize(
    ("layout", "heads", "queries", "steps"),
    [
        pytest.param(Layout(micro_batch=2), 8, 1024, 1, id="all"),
        pytest.param(Layout(micro_batch=2, tp=4), 2, 1024, 1, id="heads over tp"),
        pytest.param(Layout(micro_batch=2, cp=4), 8, 256, 4, id="queries over cp"),
        pytest.param(Layout(micro_batch=2, cp=4, cp_all_to_all=1), 2, 1024, 1, id="heads over cp"),
    ],
)
def test_the_attention_core_of_a_rank(layout: Layout, heads: int, queries: int, steps: int) -> None:
    shape = AttentionShape(
        batch=2.0, heads=float(heads), queries=float(queries), keys=1024.0, qk_dim=64, v_dim=64,
        steps=float(steps),
    )  # fmt: skip
    fused = replace(context(), software=replace(PLAIN, attention=("flash2",)))
    law = A100.attention["flash2"]
    block = block_time(fused, one(layout))
    assert block.forward.attention_s[0] == pytest.approx(fused_forward_s(shape, law, A100))
    assert block.backward.attention_s[0] == pytest.approx(fused_backward_s(shape, law, A100))
    # Unfused: 16-bit scores are read and written.
    unfused = block_time(context(), one(layout)).forward.attention_s[0]
    assert unfused == pytest.approx(unfused_forward_s(shape, A100, 4.0, "bf16"))


@pytest.mark.parametrize(("head_dim", "kind"), [(64, "bf16"), (60, "fp32"), (65, "fp32")])
def test_unaligned_heads_miss_the_tensor_cores(head_dim: int, kind: str) -> None:
    """The products of unfused attention then run in the time of fp32; a score moves 4 bytes."""
    model = replace(GPT, heads=8, kv_heads=8, head_dim=head_dim)
    shape = AttentionShape(
        batch=2, heads=8, queries=1024, keys=1024, qk_dim=head_dim, v_dim=head_dim
    )
    found = block_time(context(model), one(Layout(micro_batch=2))).forward.attention_s[0]
    assert found == pytest.approx(unfused_forward_s(shape, A100, 4.0, kind))


def test_a_window_shortens_attention_only_where_it_is_shorter() -> None:
    software = replace(PLAIN, attention=("flash2",))
    times = [
        block_time(
            replace(context(replace(GPT, window=window)), software=software), one(Layout())
        ).forward.attention_s[0]
        for window in (0, 4096, 1024, 256)
    ]
    assert times[0] == times[1] == times[2] > times[3]


def elementwise_bytes(model: ModelSpec, work: Workload, layout: Layout) -> tuple[float, float]:
    """Bytes per token, on a GPU that moves 1e12 bytes/s and launches for nothing."""
    found = block_time(
        Context(model=model, work=work, cluster=WIRE, software=PLAIN), one(layout)
    )  # fmt: skip
    scale = 1e12 / work.seq
    return float(found.forward.elementwise_s[0]) * scale, float(
        found.backward.elementwise_s[0]
    ) * scale


H, F = 512, 2048


@pytest.mark.parametrize(
    ("work", "layout", "forward", "backward"),
    [
        # Each half: a norm reads and writes (2), bias-dropout-residual reads two, writes one (3);
        # the activation function reads and writes. Two bytes each.
        pytest.param(
            WORK, Layout(), 2 * 5 * 2 * H + 2 * 2 * F, 2 * 6 * 2 * H + 3 * 2 * F, id="16 bit"
        ),
        pytest.param(
            replace(WORK, dropout=True), Layout(),
            2 * (5 * 2 + 1) * H + 2 * 2 * F, 2 * (6 * 2 + 1) * H + 3 * 2 * F, id="with masks",
        ),
        pytest.param(
            WORK, Layout(tp=4), 2 * 5 * 2 * H + 2 * 2 * F / 4, 2 * 6 * 2 * H + 3 * 2 * F / 4,
            id="tensor parallelism cuts the MLP alone",
        ),
        pytest.param(
            WORK, Layout(tp=4, sp=1),
            (2 * 5 * 2 * H + 2 * 2 * F) / 4, (2 * 6 * 2 * H + 3 * 2 * F) / 4,
            id="sequence parallelism the rest",
        ),
        pytest.param(
            replace(WORK, precision=PRECISIONS["fp32"]), Layout(),
            2 * 5 * 4 * H + 2 * 4 * F, 2 * 6 * 4 * H + 3 * 4 * F, id="32 bit",
        ),
    ],
)  # fmt: skip
def test_elementwise_traffic(
    work: Workload, layout: Layout, forward: float, backward: float
) -> None:
    assert elementwise_bytes(GPT, work, layout) == pytest.approx((forward, backward))


def test_gated_and_rotary_move_more() -> None:
    straight = replace(LLAMA, gated=False, positions="none")
    plain, gated, rotary = (
        elementwise_bytes(m, WORK, Layout())
        for m in (straight, replace(straight, gated=True), replace(straight, positions="rotary"))
    )
    assert gated[0] - plain[0] == pytest.approx(2 * 2816)  # one more input
    assert gated[1] - plain[1] == pytest.approx(2 * 2 * 2816)  # and its gradient
    # queries and keys, read and written; 1e-3 for the rounding of a difference of large numbers
    assert rotary[0] - plain[0] == pytest.approx(2 * 2 * (16 + 4) * 64, rel=1e-3)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_pass_is_the_sum_of_its_parts(model: ModelSpec) -> None:
    busy = replace(context(model), software=BUSY)
    found = block_time(busy, one(Layout(tp=2, cp=2, sp=1, ep=2, dp=4))).backward
    parts = ("matmul", "attention", "elementwise", "dispatch", "tp_comm", "cp_comm", "ep_comm")
    assert found.total_s == pytest.approx(sum(getattr(found, f"{p}_s") for p in parts))


@pytest.mark.parametrize("on", [0, 1])
def test_what_full_recompute_leaves_out(on: int) -> None:
    """The last product, and what of its all-reduce overlap does not hide."""
    layout = Layout(tp=4, tp_overlap=on)
    software = replace(PLAIN, stops_early=True, tp_overlap=0.25)
    asked = replace(context(), software=software)
    reduce_s = all_reduce_s(WORK.seq * 512 * 2, Group(size=4, local=4), DGX)
    product_s = linear_forward_s(WORK.seq, 512, 2048 / 4, A100, "bf16")
    found = block_time(asked, one(layout))
    assert found.unreplayed_s[0] == pytest.approx(product_s + (0.75 if on else 1.0) * reduce_s)
    never = block_time(replace(asked, software=PLAIN), one(layout))
    assert never.unreplayed_s[0] == 0


def test_the_results_of_experts_are_needed() -> None:
    """Two of LLAMA's sixteen layers are dense."""
    stops = replace(PLAIN, stops_early=True)
    whole, mixed = (
        block_time(replace(context(model), software=stops), one(Layout())).unreplayed_s[0]
        for model in (LLAMA, MIXTURE)
    )
    assert mixed == pytest.approx(whole * 2 / 16)
