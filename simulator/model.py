"""What a model is, as numbers: a decoder-only transformer.

Names and symbols are those of docs/nomenclature.md. Counting its parameters is
`plan3d.simulator.parameters`; counting its work, `plan3d.simulator.flops`.
"""

from dataclasses import dataclass, fields
from typing import Literal

from plan3d.simulator.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """The mixture-of-experts part of a model.

    The first `dense_first` layers have a dense MLP of width `ModelSpec.ffn`; of the others every
    `every`-th has the experts, and the rest the dense MLP.
    """

    count: int
    """Routed experts of a layer, *E*. [1]"""
    top_k: int
    """Routed experts that each token visits. [1]"""
    ffn: int
    """Width of one routed expert. [1]"""
    shared_ffn: int = 0
    """Width of all shared experts together. [1]"""
    shared_gate: bool = False
    """A learned gate (h weights) scales the shared expert (Qwen2-MoE)."""
    router_bias: bool = False
    """The router has one bias per expert (DeepSeek-V3)."""
    dense_first: int = 0
    """Layers at the start that are dense. [1]"""
    every: int = 1
    """Period of the layers with experts: 2 is every second layer. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1)."""

    q_rank: int
    """Rank of the compressed query; 0 is an uncompressed query. [1]"""
    kv_rank: int
    """Rank of the compressed keys and values. [1]"""
    nope_dim: int
    """Key width per head without rotary positions. [1]"""
    rope_dim: int
    """Rotary key width per head (shared by the heads). [1]"""
    v_dim: int
    """Value width per head. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A decoder-only transformer."""

    name: str = "custom"
    layers: int
    """Transformer blocks, *l*. [1]"""
    hidden: int
    """Width of the residual stream, *h*. [1]"""
    heads: int
    """Query heads, *a*. [1]"""
    kv_heads: int
    """Key and value heads (grouped-query attention). [1]"""
    head_dim: int
    """Width of one head. [1]"""
    ffn: int
    """Width of the (dense) MLP. [1]"""
    vocab: int
    """Vocabulary, *v*, unpadded. [1]"""
    gated: bool = False
    """Gated MLP (SwiGLU): three matrices, not two."""
    norm: Literal["layernorm", "layernorm-no-bias", "layernorm-no-params", "rmsnorm"] = "layernorm"
    positions: Literal["learned", "rotary", "alibi", "none"] = "learned"
    max_positions: int = 2048
    """Rows of the learned position table. [1]"""
    tied: bool = True
    """The output projection is the transposed embedding."""
    embedding_dim: int = 0
    """Width of the embedding where it is not *h*: two projections bridge it (OPT-350M). [1]"""
    qkv_bias: bool = True
    out_bias: bool = True
    mlp_bias: bool = True
    qk_norm: bool = False
    """A norm of `head_dim` weights on queries and on keys (Qwen3)."""
    parallel_residual: bool = False
    """Attention and MLP read the same input (GPT-NeoX)."""
    norms_per_layer: int = 2
    """Norms of one block on the residual stream. [1]"""
    embedding_norm: bool = False
    """A norm after the embedding (BLOOM)."""
    final_norm: bool = True
    """A norm after the last block."""
    window: int = 0
    """Sliding attention window, 0 is none. [tokens]"""
    experts: Experts | None = None
    latent: LatentAttention | None = None

    def __post_init__(self) -> None:
        for name in ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "vocab"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 10**9:
                raise InputError(
                    f"model {self.name}: {name} is {value!r}, but must be a whole number from 1"
                )
        if self.heads % self.kv_heads:
            raise InputError(
                f"model {self.name}: {self.heads} heads do not divide into "
                f"{self.kv_heads} key-value heads"
            )
        if self.experts is not None and not 1 <= self.experts.top_k <= self.experts.count:
            raise InputError(
                f"model {self.name}: top_k is {self.experts.top_k}, but must be between 1 "
                f"and the {self.experts.count} experts"
            )
        if self.experts is not None and not (
            0 <= self.experts.dense_first < self.layers and 1 <= self.experts.every <= self.layers
        ):
            raise InputError(
                f"model {self.name}: dense_first is {self.experts.dense_first} and every is "
                f"{self.experts.every}, which leaves none of {self.layers} layers with experts"
            )

    @property
    def moe_layers(self) -> int:
        """Layers with experts."""
        if self.experts is None:
            return 0
        return (self.layers - self.experts.dense_first) // self.experts.every

    @property
    def dense_layers(self) -> int:
        """Layers with a dense MLP."""
        return self.layers - self.moe_layers

    @property
    def qk_dim(self) -> int:
        """Width of one query or key head."""
        return self.latent.nope_dim + self.latent.rope_dim if self.latent else self.head_dim

    @property
    def v_dim(self) -> int:
        """Width of one value head."""
        return self.latent.v_dim if self.latent else self.head_dim


FIELDS = tuple(f.name for f in fields(ModelSpec))
"""The names that a model file may use."""
