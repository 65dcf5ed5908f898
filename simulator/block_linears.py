"""The linear layers of one transformer block, as matrix products on one GPU."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from plan3d.simulator.context import Context
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.model import Experts, ModelSpec
from plan3d.simulator.numeric import Numeric
from plan3d.simulator.software import Software


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear:
    """One linear layer, forward: tokens x out, over what is summed. Scalars or columns [1]."""

    name: str
    tokens: Numeric
    out: Numeric
    summed: Numeric
    kind: str
    """Type of the operands."""
    batch: Numeric = 1.0
    """Products of one launch."""


def linears(context: Context, table: LayoutTable, *, moe: bool) -> list[Linear]:
    """Return the linear layers of a dense block, or of one with experts."""
    return [*_around_attention(context, table), *_mlp(context, table, moe=moe)]


def routed_tokens(experts: Experts, software: Software) -> float:
    r"""Rows of expert products on the busiest rank, per token of a rank [1].

    .. math:: k\,b, \quad \text{or } E \text{ where experts are padded to the busiest}

    Parameters
    ----------
    experts
        *E*, of which a token goes to *k*.
    software
        Imbalance between ranks *b*; whether experts are padded. A token goes to an expert once, so
        that the busiest has all tokens at most, as it has before a router has learnt to balance.
    """
    if software.pads_experts:
        return float(experts.count)
    return experts.top_k * software.expert_imbalance


def _around_attention(context: Context, table: LayoutTable) -> Iterator[Linear]:
    tp, kind = table.tp, context.work.precision.matmul
    tokens = table.micro_batch * context.work.seq / table.cp
    for name, n, split, k, cut in _attention_shapes(context.model):
        out, summed = n / np.minimum(split, tp), k / np.minimum(cut, tp)
        yield Linear(name=name, tokens=tokens, out=out, summed=summed, kind=kind)


def _attention_shapes(model: ModelSpec) -> list[tuple[str, float, float, float, float]]:
    """Linear layers around the core: (name, out, ways out may be cut, in, ways in may be cut)."""
    whole, a = 1.0, float(model.heads)
    out = ("output projection", float(model.hidden), whole, float(model.heads * model.v_dim), a)
    if model.latent is None:
        kv = 2.0 * model.kv_heads * model.head_dim
        width = float(model.heads * model.head_dim)
        queries = ("queries", width, a, float(model.hidden), whole)
        return [queries, ("keys, values", kv, float(model.kv_heads), float(model.hidden), whole),
                out]  # fmt: skip
    mla = model.latent
    h, heads = float(model.hidden), model.heads
    query = [("queries", float(heads * model.qk_dim), a, float(mla.q_rank or h), whole)]
    if mla.q_rank:
        query.append(("queries down", float(mla.q_rank), whole, h, whole))
    return [
        *query,
        ("keys, values down", float(mla.kv_rank + mla.rope_dim), whole, h, whole),
        ("keys, values", float(heads * (mla.nope_dim + mla.v_dim)), a, float(mla.kv_rank), whole),
        out,
    ]


def _mlp(context: Context, table: LayoutTable, *, moe: bool) -> Iterator[Linear]:
    model, kind, tp = context.model, context.work.precision.matmul, table.tp
    tokens = table.micro_batch * context.work.seq / table.cp
    wide, h = (2 if model.gated else 1), model.hidden
    if not moe or model.experts is None:
        ffn = model.ffn / tp
        up = wide * model.ffn / tp
        yield Linear(name="MLP up", tokens=tokens, out=up, summed=h, kind=kind)
        yield Linear(name="MLP down", tokens=tokens, out=h, summed=ffn, kind=kind)
        return
    experts = model.experts
    if experts.shared_ffn:
        up, ffn = wide * experts.shared_ffn / tp, experts.shared_ffn / tp
        yield Linear(name="shared expert up", tokens=tokens, out=up, summed=h, kind=kind)
        yield Linear(name="shared expert down", tokens=tokens, out=h, summed=ffn, kind=kind)
    local = experts.count / table.ep
    routed = tokens * table.etp / tp * routed_tokens(experts, context.software)
    ffn, each = experts.ffn / table.etp, routed / local
    yield Linear(
        name="experts up", tokens=each, out=wide * ffn, summed=h, kind=kind, batch=local
    )  # fmt: skip
    yield Linear(name="experts down", tokens=each, out=h, summed=ffn, kind=kind, batch=local)
    yield Linear(name="router", tokens=tokens / tp, out=experts.count, summed=h, kind="bf16")
