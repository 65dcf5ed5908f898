"""Matrix products of models: forward, data gradient and weight gradient of each linear layer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from plan3d.hardware_profiles.measure.plan.extent import Extent
from plan3d.hardware_profiles.points.point import Shape
from plan3d.simulator.model import ModelSpec

PADDED = 128
"""Frameworks pad a GPU's part of the vocabulary to a multiple of it. [1]"""
ALIGNED = 16
"""Widths that are no multiple of it run as other kernels; no framework chooses them. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """One linear layer on one GPU: `inputs` columns to `outputs`."""

    outputs: int
    inputs: int
    tokens: float = 1.0
    """Share of the tokens that pass through it: less than 1 for one expert. [1]"""


def linears(model: ModelSpec, tp: int) -> Iterator[Linear]:
    """Yield the linear layers of one GPU under tensor parallelism; none if it does not divide."""
    if model.heads % tp or model.ffn % tp:
        return
    h, heads = model.hidden, model.heads // tp
    up = 2 if model.gated else 1
    if model.latent is None:
        kv_heads = max(1, model.kv_heads // tp)
        yield Linear(outputs=(heads + 2 * kv_heads) * model.head_dim, inputs=h)
    else:
        latent = model.latent
        q_rank = latent.q_rank or h
        if latent.q_rank:
            yield Linear(outputs=latent.q_rank, inputs=h)
        yield Linear(outputs=heads * model.qk_dim, inputs=q_rank)
        yield Linear(outputs=latent.kv_rank + latent.rope_dim, inputs=h)
        yield Linear(outputs=heads * (latent.nope_dim + latent.v_dim), inputs=latent.kv_rank)
    yield Linear(outputs=h, inputs=heads * model.v_dim)
    yield Linear(outputs=up * model.ffn // tp, inputs=h)
    yield Linear(outputs=h, inputs=model.ffn // tp)
    yield Linear(outputs=-(-model.vocab // (tp * PADDED)) * PADDED, inputs=h)
    if model.experts is not None and model.experts.ffn % tp == 0:
        share = model.experts.top_k / model.experts.count
        width = model.experts.ffn // tp
        yield Linear(outputs=up * width, inputs=h, tokens=share)
        yield Linear(outputs=h, inputs=width, tokens=share)


def products(models: Iterable[ModelSpec], dtype: str, seq: int, extent: Extent) -> list[Shape]:
    """Return each different matrix product of the models' linear layers, m x k times k x n."""
    seq = min(max(seq, extent.shortest_seq), extent.longest_seq)
    found: dict[Shape, None] = {}
    for model in models:
        for tp in extent.tps:
            for linear in linears(model, tp):
                out, into = min(linear.outputs, extent.widest), min(linear.inputs, extent.widest)
                for micro_batch in extent.micro_batches:
                    tokens = round(micro_batch * seq * linear.tokens)
                    for op, m, n, k in (
                        ("forward", tokens, out, into),
                        ("dgrad", tokens, into, out),
                        ("wgrad", out, into, tokens),
                    ):
                        if not (m % ALIGNED or n % ALIGNED or k % ALIGNED or m * n * k == 0):
                            shape = Shape(kind="gemm", op=op, dtype=dtype, m=m, n=n, k=k)
                            found[shape] = None
    return list(found)
