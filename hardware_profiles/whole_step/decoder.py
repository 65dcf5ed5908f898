"""A decoder in plain PyTorch, as its `ModelSpec` says: nothing fused but what torch itself fuses.

GPT style is LayerNorm, one biased projection for queries, keys and values, GELU, learned
positions and a tied head; LLaMA style is RMSNorm, three projections, rotary positions,
grouped queries, SwiGLU and a head of its own. RMSNorm and rotary positions are written out as in
the usual eager code (Hugging Face Transformers, ``modeling_llama.py``), so that the same kernels
run with every version of torch and on every device.
"""

from functools import partial
from typing import Any, Final

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own custom
from torch import nn
from torch.utils.checkpoint import checkpoint

from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Recompute
from plan3d.simulator.model import ModelSpec

DEVIATION: Final = 0.02
"""Of the matrices at the start (GPT-2). [1]"""
BASE: Final = 10_000.0
"""Wavelengths of rotary positions (J. Su et al., arXiv:2104.09864, section 3.2.2). [1]"""
EPSILON: Final = 1e-5
"""Added to the variance in a norm. [1]"""


class Decoder(nn.Module):
    """A decoder-only transformer and its loss.

    Parameters
    ----------
    model
        Its sizes and kind.
    recompute
        NONE, SELECTIVE (the attention core) or FULL (each block).
    **made
        ``device`` and ``dtype`` of the parameters.

    Raises
    ------
    InputError
        If the model or the recomputation has a part that is not written here.
    """

    def __init__(self, model: ModelSpec, recompute: Recompute, **made: Any) -> None:
        super().__init__()
        _check(model, recompute)
        self.full = recompute == Recompute.FULL
        self.turned = model.head_dim if model.positions == "rotary" else 0
        self.embedding = nn.Embedding(model.vocab, model.hidden, **made)
        self.positions = (
            nn.Embedding(model.max_positions, model.hidden, **made)
            if model.positions == "learned"
            else None
        )
        selective = recompute == Recompute.SELECTIVE
        self.blocks = nn.ModuleList(Block(model, selective, **made) for _ in range(model.layers))
        self.norm = norm(model, **made)
        self.head = None if model.tied else nn.Linear(model.hidden, model.vocab, False, **made)
        for parameter in self.parameters():
            if parameter.dim() > 1 and not parameter.is_meta:
                nn.init.normal_(parameter, std=DEVIATION)

    def forward(self, tokens: Any, targets: Any) -> Any:
        """Return the mean cross entropy of the next tokens; both arguments have shape (b, s).

        No name holds on to the logits: what autograd does not keep of them is freed at once.
        """
        stream = self.embedding(tokens)
        if self.positions is not None:
            stream = stream + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        turns = angles(tokens.shape[1], self.turned, stream) if self.turned else ()
        for block in self.blocks:
            run = partial(checkpointed, block) if self.full else block
            stream = run(stream, *turns)
        weight = self.embedding.weight if self.head is None else self.head.weight
        return cross_entropy(self.norm(stream), weight, targets)


def cross_entropy(stream: Any, weight: Any, targets: Any) -> Any:
    """Return the mean loss of the logits `stream @ weight.T`, in 32 bits (shapes b s h, v h)."""
    return F.cross_entropy(
        F.linear(stream, weight).float().flatten(0, 1),
        targets.flatten(),
    )


class Block(nn.Module):
    """Attention and MLP, each behind a norm and beside a residual."""

    def __init__(self, model: ModelSpec, selective: bool, **made: Any) -> None:
        super().__init__()
        self.attention_norm = norm(model, **made)
        self.attention = Attention(model, selective, **made)
        self.mlp_norm = norm(model, **made)
        self.mlp = Mlp(model, **made)

    def forward(self, stream: Any, *turns: Any) -> Any:
        """Return the stream after the block, shape (b, s, h); `turns` are those of `angles`."""
        stream = stream + self.attention(self.attention_norm(stream), *turns)
        return stream + self.mlp(self.mlp_norm(stream))


class Attention(nn.Module):
    """Grouped-query attention with a causal mask."""

    def __init__(self, model: ModelSpec, selective: bool, **made: Any) -> None:
        super().__init__()
        self.dim, self.selective = model.head_dim, selective
        self.widths = [n * model.head_dim for n in (model.heads, model.kv_heads, model.kv_heads)]
        self.grouped = model.kv_heads != model.heads
        outs = self.widths if model.positions == "rotary" else [sum(self.widths)]
        self.inputs = nn.ModuleList(
            nn.Linear(model.hidden, out, model.qkv_bias, **made) for out in outs
        )
        self.output = nn.Linear(self.widths[0], model.hidden, model.out_bias, **made)

    def forward(self, stream: Any, *turns: Any) -> Any:
        """Return what attention adds to the stream, shape (b, s, h)."""
        parts = [linear(stream) for linear in self.inputs]
        if len(parts) == 1:
            parts = parts[0].split(self.widths, dim=-1)
        queries, keys, values = (part.unflatten(-1, (-1, self.dim)) for part in parts)
        if turns:
            queries, keys = turned(queries, *turns), turned(keys, *turns)
        heads = [part.transpose(1, 2) for part in (queries, keys, values)]
        core = checkpointed(self.core, *heads) if self.selective else self.core(*heads)
        return self.output(core.transpose(1, 2).flatten(2))

    def core(self, queries: Any, keys: Any, values: Any) -> Any:
        """Return the attention core; shapes (b, heads, s, d)."""
        return F.scaled_dot_product_attention(
            queries, keys, values, is_causal=True, enable_gqa=self.grouped
        )


class Mlp(nn.Module):
    """Two matrices around GELU, or three around SwiGLU (N. Shazeer, arXiv:2002.05202)."""

    def __init__(self, model: ModelSpec, **made: Any) -> None:
        super().__init__()
        h, f, bias = model.hidden, model.ffn, model.mlp_bias
        self.up = nn.Linear(h, f, bias, **made)
        self.gate = nn.Linear(h, f, bias, **made) if model.gated else None
        self.down = nn.Linear(f, h, bias, **made)

    def forward(self, stream: Any) -> Any:
        """Return what the MLP adds to the stream, shape (b, s, h)."""
        if self.gate is None:
            return self.down(F.gelu(self.up(stream)))
        return self.down(F.silu(self.gate(stream)) * self.up(stream))


class RmsNorm(nn.Module):
    """Division by the root mean square, in 32 bits (B. Zhang, R. Sennrich, arXiv:1910.07467)."""

    def __init__(self, width: int, **made: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width, **made))

    def forward(self, stream: Any) -> Any:
        """Return the stream normalised over its last axis."""
        wide = stream.float()
        scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + EPSILON)
        return self.weight * scaled.to(stream.dtype)


def norm(model: ModelSpec, **made: Any) -> Any:
    """Return a norm of the kind and width that a model has."""
    if model.norm == "rmsnorm":
        return RmsNorm(model.hidden, **made)
    return nn.LayerNorm(model.hidden, eps=EPSILON, **made)


def angles(seq: int, dim: int, like: Any) -> tuple[Any, Any]:
    """Return cosine and sine of every position and element, shape (s, 1, d), as `like` is typed."""
    with torch.no_grad():
        wave = BASE ** (-torch.arange(0, dim, 2, device=like.device).float() / dim)
        turn = torch.outer(torch.arange(seq, device=like.device).float(), wave)
        both = torch.cat((turn, turn), dim=-1)[:, None]
        return both.cos().to(like.dtype), both.sin().to(like.dtype)


def turned(heads: Any, cos: Any, sin: Any) -> Any:
    """Return queries or keys of shape (b, s, heads, d) turned by their positions."""
    left, right = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat((-right, left), dim=-1) * sin


def checkpointed(part: Any, *inputs: Any) -> Any:
    """Return a part's output, keeping its inputs only (T. Chen et al., arXiv:1604.06174)."""
    return checkpoint(part, *inputs, use_reentrant=False, preserve_rng_state=False)


def _check(model: ModelSpec, recompute: Recompute) -> None:
    """Refuse what is not written here."""
    unknown = {
        "a mixture of experts": model.experts is not None,
        "latent attention": model.latent is not None,
        "a sliding window": model.window > 0,
        "norms on queries and keys": model.qk_norm,
        "a parallel residual": model.parallel_residual,
        f"{model.norms_per_layer} norms per layer": model.norms_per_layer != 2,
        "a norm of the embedding": model.embedding_norm,
        "no final norm": not model.final_norm,
        "an embedding of another width": model.embedding_dim > 0,
        f"the norm {model.norm}": model.norm not in {"layernorm", "rmsnorm"},
        f"positions {model.positions}": model.positions not in {"learned", "rotary"},
        f"recompute={recompute.name.lower()}": recompute == Recompute.BLOCK,
    }
    found = [name for name, there in unknown.items() if there]
    if found:
        raise InputError(
            f"{model.name} has {found[0]}, which the decoder of plan3d check has not; GPT and "
            "LLaMA shapes work"
        )
