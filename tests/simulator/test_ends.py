"""Embedding, logits and loss by hand."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.simulator.collectives import all_gather_s, all_reduce_s
from plan3d.simulator.context import Context
from plan3d.simulator.ends import end_time, loss_columns, padded_vocab
from plan3d.simulator.kernels import linear_backward_s, linear_forward_s
from plan3d.simulator.layout import Layout
from plan3d.simulator.placement import Group
from plan3d.simulator.workload import PRECISIONS, Workload
from tests.simulator.jobs import DGX, GPT, PLAIN, WIRE, WORK, one

CONTEXT = Context(model=GPT, work=WORK, cluster=WIRE, software=PLAIN)
TOKENS, HIDDEN, VOCAB = 2 * 1024, 512, 1000


@pytest.mark.parametrize(
    ("multiple", "tp", "expected"),
    [(1, 1.0, 1000), (1, 8.0, 1000), (128, 1.0, 1024), (128, 8.0, 1024), (128, 16.0, 2048)],
)
def test_the_vocabulary_is_padded(multiple: int, tp: float, expected: float) -> None:
    assert padded_vocab(GPT, replace(PLAIN, vocab_multiple=multiple), tp) == expected


def test_a_loss_that_is_not_parallel_sees_the_whole_vocabulary() -> None:
    table = one(Layout(tp=8))
    assert loss_columns(GPT, PLAIN, table) == 125
    assert loss_columns(GPT, replace(PLAIN, sharded_loss=False), table) == 1000


def test_plain_stages_have_the_whole_head() -> None:
    """As on one rank, and nothing of it is sent; only in pipelines."""
    plain = replace(PLAIN, plain_stages=True)
    context = replace(CONTEXT, cluster=DGX, software=plain)
    assert loss_columns(GPT, plain, one(Layout(tp=8, pp=2))) == 1000
    assert loss_columns(GPT, plain, one(Layout(tp=8))) == 125
    piped, alone = (end_time(context, one(Layout(tp=tp, pp=2))) for tp in (8, 1))
    assert piped.last_s[0] == alone.last_s[0]
    assert piped.first_s[0] > alone.first_s[0]  # the embedding is cut as ever


def test_a_whole_embedding_sums_no_parts() -> None:
    whole = replace(CONTEXT, cluster=DGX, software=replace(PLAIN, whole_embedding=True))
    many, alone = (end_time(whole, one(Layout(tp=tp))) for tp in (8, 1))
    cut = end_time(replace(CONTEXT, cluster=DGX), one(Layout(tp=8)))
    assert many.first_s[0] == alone.first_s[0] < cut.first_s[0]
    assert many.last_s[0] == cut.last_s[0]


def test_one_rank_by_hand() -> None:
    """On a GPU of 1e12 bytes/s: 6 bytes moved per 2-byte element; 26 bytes per logit."""
    ends = end_time(CONTEXT, one(Layout(micro_batch=2)))
    assert ends.first_s[0] == pytest.approx(6 * TOKENS * HIDDEN * 2 / 1e12)
    forward = linear_forward_s(TOKENS, VOCAB, HIDDEN, WIRE.gpu, "bf16")
    backward = linear_backward_s(TOKENS, VOCAB, HIDDEN, WIRE.gpu, "bf16")
    assert forward < ends.last_forward_s[0] < ends.last_s[0]
    loss = 26 * TOKENS * VOCAB / 1e12
    assert ends.last_s[0] == pytest.approx(forward + backward + loss)


def test_the_loss_moves_what_its_kernels_do_and_gradients_are_added_up() -> None:
    """On a GPU of 1e12 bytes/s: 20 and 30 bytes per logit, 10 bytes per weight."""
    software = replace(
        PLAIN, loss_forward_bytes=20.0, loss_backward_bytes=30.0, accumulate_bytes=10.0
    )
    layout = one(Layout(micro_batch=2))
    plain = end_time(CONTEXT, layout)
    found = end_time(replace(CONTEXT, software=software), layout)
    logits, weights = TOKENS * VOCAB / 1e12, HIDDEN * VOCAB / 1e12
    assert found.last_forward_s[0] - plain.last_forward_s[0] == pytest.approx(4 * logits)
    assert found.last_s[0] - plain.last_s[0] == pytest.approx(24 * logits + 10 * weights)
    assert found.first_s[0] - plain.first_s[0] == pytest.approx(10 * weights)


def communication(layout: Layout, *, sharded: bool = True) -> tuple[float, float]:
    """What the ends take on DGX beyond what they take there with free communication."""
    wires = replace(
        DGX,
        node=replace(
            DGX.node, latency_s=0.0, step_latency_s=0.0, ramp_s_per_sqrt_byte=0.0,
            all_reduce_bytes_per_s=np.inf, all_gather_bytes_per_s=np.inf,
        ),
    )  # fmt: skip
    software = replace(PLAIN, sharded_loss=sharded)
    context = replace(CONTEXT, cluster=DGX, software=software)
    slow = end_time(context, one(layout))
    free = end_time(replace(context, cluster=wires), one(layout))
    return float(slow.first_s[0] - free.first_s[0]), float(slow.last_s[0] - free.last_s[0])


def test_tensor_parallel_ends_communicate() -> None:
    """The embedding's partial sums forward, the loss's two numbers, the input's gradient."""
    group, stream = Group(size=8.0, local=8.0), TOKENS * HIDDEN * 2.0
    first, last = communication(Layout(tp=8, micro_batch=2))
    reduce_s = all_reduce_s(stream, group, DGX)
    small = 2 * all_reduce_s(8.0 * TOKENS, group, DGX)
    assert first == pytest.approx(reduce_s, rel=1e-6)
    assert last == pytest.approx(small + reduce_s, rel=1e-6)
    _, with_sp = communication(Layout(tp=8, sp=1, micro_batch=2))
    gather = all_gather_s(stream, group, DGX)
    assert with_sp == pytest.approx(small + reduce_s + 2 * gather, rel=1e-6)


def test_logits_are_gathered_for_a_loss_that_is_not_parallel() -> None:
    group = Group(size=8.0, local=8.0)
    _, last = communication(Layout(tp=8, micro_batch=2), sharded=False)
    logits = 2 * all_gather_s(TOKENS * VOCAB * 2.0, group, DGX)
    expected = logits + all_reduce_s(TOKENS * HIDDEN * 2.0, group, DGX)
    assert last == pytest.approx(expected, rel=1e-6)


def test_fp8_leaves_the_logits_in_bf16() -> None:
    layout = one(Layout())
    work = Workload(seq=1024, global_batch=64, precision=PRECISIONS["fp8"])
    fp8 = end_time(replace(CONTEXT, work=work), layout)
    assert np.array_equal(fp8.last_s, end_time(CONTEXT, layout).last_s)


def test_context_parallelism_divides_the_tokens() -> None:
    whole = end_time(CONTEXT, one(Layout(micro_batch=1)))
    half = end_time(CONTEXT, one(Layout(micro_batch=2, cp=2)))
    assert half.last_s[0] == whole.last_s[0]


def test_gathering_along_the_sequence_copies() -> None:
    """The final stream, forward and again backward: read and written at 1e12 bytes/s."""
    layout = Layout(tp=4, sp=1, micro_batch=2)
    copies = replace(CONTEXT, software=replace(PLAIN, sequence_copies=1.0))
    once, never = (end_time(context, one(layout)) for context in (copies, CONTEXT))
    copy_s = 2 * TOKENS * HIDDEN * 2 / 1e12
    assert once.last_s[0] - never.last_s[0] == pytest.approx(2 * copy_s, rel=1e-3)
    assert once.first_s[0] == never.first_s[0]
