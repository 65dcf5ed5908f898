"""Activations of one block against the closed forms of Korthikanti et al. (arXiv:2205.05198)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan3d.simulator.activations import BlockActivations, block_activations
from plan3d.simulator.context import Context
from plan3d.simulator.layout import Layout
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.software import Software
from plan3d.simulator.workload import PRECISIONS, Workload
from tests.simulator.jobs import BUSY, DGX, LATENT, LLAMA, MIXTURE, MODELS, PLAIN, WORK, one

FLASH = replace(PLAIN, attention=("flash2",))


def gpt_22b(seq: int) -> Context:
    model = ModelSpec(
        layers=48, hidden=6144, heads=64, kv_heads=64, head_dim=96, ffn=4 * 6144, vocab=51200
    )
    work = Workload(seq=seq, global_batch=4, precision=PRECISIONS["fp16"], dropout=True)
    return Context(model=model, work=work, cluster=DGX, software=PLAIN)


@given(
    t=st.sampled_from([1, 2, 8]), b=st.integers(1, 8), s=st.sampled_from([1024, 2048, 8192]),
    sp=st.booleans(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_closed_forms(t: int, b: int, s: int, sp: bool) -> None:
    """Equations 2 and 4 of the paper, selective recompute and full recompute."""
    found = block_activations(gpt_22b(s), one(Layout(tp=t, micro_batch=b, sp=int(sp))))
    h, a = 6144, 64
    sbh = s * b * h
    scores = 5 * a * s / (h * t)
    rest = 34 / t if sp else 10 + 24 / t
    assert found.whole_bytes[0] == pytest.approx(sbh * (rest + scores))
    assert found.selective_bytes[0] == pytest.approx(sbh * rest)
    assert found.input_bytes[0] == pytest.approx(2 * sbh / (t if sp else 1))
    assert found.embedding_bytes[0] == pytest.approx(sbh / (t if sp else 1))  # section 4.3


@pytest.mark.parametrize(
    ("software", "layout", "head", "working"),
    [
        pytest.param(FLASH, Layout(), 4, 0, id="norm's and projection's input"),
        pytest.param(FLASH, Layout(tp=8), 4, 0, id="each rank has all of them"),
        pytest.param(FLASH, Layout(tp=8, sp=1), 4 / 8, 4, id="sequence parallel: two are whole"),
        pytest.param(replace(FLASH, fp32_norms=True), Layout(), 8, 0, id="norm in 32 bits"),
        pytest.param(
            replace(FLASH, keeps_gathered=True), Layout(tp=8, sp=1), 2 / 8 + 2, 2,
            id="the gathered input is there already",
        ),
    ],
)  # fmt: skip
def test_head_and_working_set(
    software: Software, layout: Layout, head: float, working: float
) -> None:
    """Bytes per token and element of the stream, of 16 bits."""
    context = Context(model=MODELS["gpt"], work=WORK, cluster=DGX, software=software)
    found = block_activations(context, one(layout))
    each = WORK.seq * MODELS["gpt"].hidden
    assert found.head_bytes[0] == pytest.approx(head * each)
    assert found.working_bytes[0] == pytest.approx(working * each)


def per_token(model: ModelSpec, layout: Layout, context: Context | None = None) -> float:
    """Bytes per token that a block without dropout and with flash attention keeps."""
    context = context or Context(model=model, work=WORK, cluster=DGX, software=FLASH)
    found = block_activations(replace(context, model=model), one(layout))
    return float(found.whole_bytes[0]) / WORK.seq


def test_flash_keeps_a_log_sum_exp_per_head() -> None:
    """GPT without dropout, by hand: 2 norms, 4 operands, the MLP's two; heads * 4 bytes."""
    h, a = 512, 8
    norms_and_inputs, attention, mlp = 4 * 2 * h, 4 * 2 * h, 2 * 2 * 4 * h
    assert per_token(MODELS["gpt"], Layout()) == norms_and_inputs + attention + mlp + 4 * a


LLAMA_BYTES = 4 * 2 * 1024 + 2 * (2 * 1024 + 2 * 4 * 64) + 3 * 2 * 2816 + 4 * 16
"""Norms and inputs; queries, output, keys and values; gate, up and their product; lse."""


def test_a_gated_block_by_hand() -> None:
    assert per_token(LLAMA, Layout()) == LLAMA_BYTES


def test_key_value_heads_are_not_cut_below_one() -> None:
    """At tp = 8 each rank has one of the four key-value heads, and a whole norm input."""
    expected = 4 * 2 * 1024 + 2 * (2 * 1024 / 8 + 2 * 64) + 3 * 2 * 2816 / 8 + 4 * 16 / 8
    assert per_token(LLAMA, Layout(tp=8)) == expected


def test_context_parallelism_divides_everything() -> None:
    assert per_token(LLAMA, Layout(cp=4)) == LLAMA_BYTES / 4


def test_norms_in_32_bit_keep_a_copy() -> None:
    context = Context(model=LLAMA, work=WORK, cluster=DGX, software=replace(FLASH, fp32_norms=True))
    assert per_token(LLAMA, Layout(), context) == LLAMA_BYTES + 2 * 4 * 1024


def test_norms_may_keep_their_results_in_32_bits_too() -> None:
    software = replace(FLASH, fp32_norms=True, fp32_norm_results=True)
    context = Context(model=LLAMA, work=WORK, cluster=DGX, software=software)
    assert per_token(LLAMA, Layout(), context) == LLAMA_BYTES + 2 * (4 + 2) * 1024


def test_keys_and_values_may_be_repeated() -> None:
    """Four heads of each become sixteen, 64 wide and of 2 bytes."""
    context = Context(model=LLAMA, work=WORK, cluster=DGX, software=replace(FLASH, repeats_kv=True))
    assert per_token(LLAMA, Layout(), context) == LLAMA_BYTES + 2 * (16 - 4) * 64 * 2


def test_a_router_may_keep_what_comes_before_the_experts() -> None:
    """All of a block but its experts, and what routing keeps; of 14 layers in 16."""
    software = replace(FLASH, keeps_routing=True)
    context = Context(model=MIXTURE, work=WORK, cluster=DGX, software=software)
    found = block_activations(context, one(Layout()))
    dense = 3 * 2 * 2816
    assert found.routing_bytes[0] == (LLAMA_BYTES - dense) * WORK.seq * 14 / 16
    for other in (replace(context, model=LLAMA), replace(context, software=FLASH)):
        assert block_activations(other, one(Layout())).routing_bytes[0] == 0


@pytest.mark.parametrize(
    ("model", "layout", "wide"),
    [
        pytest.param(LLAMA, Layout(), 2816, id="dense"),
        pytest.param(LLAMA, Layout(tp=4), 2816 / 4, id="cut"),
        pytest.param(MIXTURE, Layout(), 2 * 1408, id="two experts, as wide as a dense layer"),
        pytest.param(MODELS["gpt"], Layout(), 0, id="no gate"),
    ],
)
def test_a_gate_in_two_kernels_works_with_two_gradients(
    model: ModelSpec, layout: Layout, wide: float
) -> None:
    software = replace(FLASH, fused_activations=False)
    context = Context(model=model, work=WORK, cluster=DGX, software=software)
    found = block_activations(context, one(layout))
    assert found.working_bytes[0] == 2 * 2 * wide * WORK.seq


def test_gathered_inputs_may_be_kept() -> None:
    """With sequence parallelism, the inputs of two column-parallel layers are whole again."""
    context = Context(model=LLAMA, work=WORK, cluster=DGX, software=FLASH)
    keeps = replace(context, software=replace(FLASH, keeps_gathered=True))
    layout = Layout(tp=4, sp=1)
    more = per_token(LLAMA, layout, keeps) - per_token(LLAMA, layout, context)
    assert more == 2 * 2 * 1024 * (1 - 1 / 4)


def test_a_softmax_in_32_bit_keeps_a_copy_of_its_result() -> None:
    """4 bytes more of each of the 1,024 scores of 16 heads, where the scores are kept at all."""
    wide = replace(PLAIN, fp32_softmax=True)
    context = Context(model=LLAMA, work=WORK, cluster=DGX, software=PLAIN)
    more = replace(context, software=wide)
    assert per_token(LLAMA, Layout(), more) - per_token(LLAMA, Layout(), context) == 4 * 16 * 1024
    fused = replace(context, software=replace(wide, attention=("flash2",)))
    assert per_token(LLAMA, Layout(), fused) == LLAMA_BYTES


def test_an_unfused_gate_keeps_its_activation() -> None:
    """Of SwiGLU; GELU has nothing between its input and its output."""
    context = Context(
        model=LLAMA, work=WORK, cluster=DGX, software=replace(FLASH, fused_activations=False)
    )
    assert per_token(LLAMA, Layout(), context) - LLAMA_BYTES == 2 * 2816
    gpt = replace(context, model=MODELS["gpt"])
    assert per_token(MODELS["gpt"], Layout(), gpt) == per_token(MODELS["gpt"], Layout())


def test_queries_and_keys_may_stay_as_they_were_before_rotary_positions() -> None:
    software = replace(FLASH, keeps_unrotated=True)
    context = Context(model=LLAMA, work=WORK, cluster=DGX, software=software)
    assert per_token(LLAMA, Layout(), context) - LLAMA_BYTES == 2 * (16 + 4) * 64


def test_selective_recompute_of_a_fused_core_drops_its_log_sum_exp() -> None:
    found = block_activations(
        Context(model=LLAMA, work=WORK, cluster=DGX, software=FLASH), one(Layout())
    )
    assert found.whole_bytes[0] - found.selective_bytes[0] == 4 * 16 * WORK.seq


def test_a_parallel_residual_shares_its_input() -> None:
    saved = LLAMA_BYTES - per_token(replace(LLAMA, parallel_residual=True), Layout())
    assert saved == 2 * 1024


def test_the_heavier_kind_of_a_mixture_counts() -> None:
    """Two routed experts and the shared one by hand; 8 bytes per token and expert to route."""
    h, dense = 1024, 3 * 2 * 2816
    routed = 2 * (2 * 2 * h + 3 * 2 * 1408)
    shared = 3 * 2 * 512
    assert per_token(MIXTURE, Layout()) == LLAMA_BYTES - dense + routed + shared + 8 * 8
    assert MIXTURE.experts is not None
    light = replace(MIXTURE, experts=replace(MIXTURE.experts, top_k=1, ffn=8, shared_ffn=0))
    assert per_token(light, Layout()) == LLAMA_BYTES  # the dense layers are the heavier ones


def test_latent_attention_by_hand() -> None:
    """Queries and keys of 96, values of 64 for 16 heads; ranks 384 and 128 twice, 32 rotary."""
    model = replace(LATENT, experts=None)
    attention = 2 * (2 * 16 * (96 + 64) + 2 * (384 + 128) + 32)
    assert per_token(model, Layout()) == 4 * 2 * 1024 + attention + 3 * 2 * 2816 + 4 * 16


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("software", [PLAIN, FLASH, BUSY], ids=lambda s: s.name)
@pytest.mark.parametrize("layout", [Layout(), Layout(tp=8, sp=1), Layout(tp=4, cp=2)])
def test_more_recompute_keeps_less(model: ModelSpec, software: object, layout: Layout) -> None:
    context = replace(gpt_22b(2048), model=model, software=software)  # type: ignore[arg-type]
    found: BlockActivations = block_activations(context, one(layout))
    assert found.whole_bytes >= found.selective_bytes >= found.input_bytes


def test_selective_recompute_may_gather_inputs_again() -> None:
    """What keeping them whole costs (above), less the half that is dropped anyway."""
    keeps = replace(FLASH, keeps_gathered=True, selective_operands=0.5)
    layout = one(Layout(tp=4, sp=1))
    kept, again = (
        block_activations(
            Context(model=LLAMA, work=WORK, cluster=DGX, software=software), layout
        ).selective_bytes[0]
        for software in (keeps, replace(keeps, selective_tp=0.5))
    )
    assert kept - again == pytest.approx(WORK.seq * 0.5 * 2 * 2 * 1024 * (1 - 1 / 4))


@pytest.mark.parametrize(
    ("layout", "per_token"),
    [
        (Layout(cp=4), 2 * 2 * 1024),
        (Layout(cp=4, tp=2), 2 * 2 * 1024 / 2),
        (Layout(), 0),
        (Layout(cp=4, cp_all_to_all=1), 0),
    ],
)
def test_gathered_keys_and_values_are_whole(layout: Layout, per_token: float) -> None:
    """Of all tokens, in 16 bits, for all of the queries' sixteen heads of 64."""
    software = replace(FLASH, cp_gathers=True)
    found = block_activations(
        Context(model=LLAMA, work=WORK, cluster=DGX, software=software), one(layout)
    )
    assert found.working_bytes[0] == pytest.approx(WORK.seq * per_token)
