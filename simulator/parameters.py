"""How many parameters a model has, to the last one, and which ranks hold them.

Exact whole numbers. They are split by what divides them: tensor parallelism, expert parallelism,
or nothing; that is what the memory model needs, and the totals are their sums.
"""

from dataclasses import dataclass

from plan3d.simulator.model import LatentAttention, ModelSpec

WEIGHTS_PER_NORM = {"layernorm": 2, "layernorm-no-bias": 1, "layernorm-no-params": 0, "rmsnorm": 1}
"""Weights of a norm per element of its width: scale and shift, scale, none, scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerParams:
    """Parameters of one block, by what divides them."""

    tensor: int
    """Attention, dense MLP and shared experts, with the biases along them: divided by tp. [1]"""
    experts: int
    """Routed experts: divided by ep and etp. [1]"""
    replicated: int
    """Norms, router, latent projections, biases of the output: on each rank. [1]"""

    @property
    def total(self) -> int:
        """The whole block [1]."""
        return self.tensor + self.experts + self.replicated


@dataclass(frozen=True, slots=True, kw_only=True)
class EndParams:
    """Parameters before the first and after the last block."""

    embedding: int
    """Embedding table: divided by tp, on the first stage. [1]"""
    positions: int
    """Position table and the norm of the embedding: on each rank of the first stage. [1]"""
    head: int
    """Output projection: divided by tp, on the last stage. What is tied does not count. [1]"""
    final: int
    """Norm after the last block: on each rank of the last stage. [1]"""

    @property
    def total(self) -> int:
        """All of them [1]."""
        return self.embedding + self.positions + self.head + self.final


def attention_matrix_params(model: ModelSpec) -> int:
    """Return the weights of the attention matrices of one block, without biases [1].

    Grouped queries: h (a + 2 k) d for queries, keys and values, and a d h for the output. Latent
    attention: DeepSeek-V2, arXiv:2405.04434, equations 37-47.
    """
    h, a = model.hidden, model.heads
    if model.latent is None:
        return h * (a + 2 * model.kv_heads) * model.head_dim + a * model.head_dim * h
    latent = model.latent
    queries = (latent.q_rank or h) * a * model.qk_dim
    keys_values = latent.kv_rank * a * (latent.nope_dim + latent.v_dim)
    return _down_params(h, latent) + queries + keys_values + a * latent.v_dim * h


def block_matrices(model: ModelSpec) -> tuple[int, ...]:
    """Return the weights of each matrix of a dense block [1].

    Queries, keys and values are one, and so are gate and up.
    """
    out = model.heads * model.v_dim * model.hidden
    down = model.ffn * model.hidden
    return attention_matrix_params(model) - out, out, (1 + model.gated) * down, down


def block_tensors(model: ModelSpec) -> int:
    """Return the tensors of a dense block: matrices, gate and up apart, biases, norms [1]."""
    matrices = len(block_matrices(model)) + model.gated
    biases = model.qkv_bias + model.out_bias + model.mlp_bias * (2 + model.gated)
    return matrices + biases + model.norms_per_layer * WEIGHTS_PER_NORM[model.norm]


def _down_params(hidden: int, latent: LatentAttention) -> int:
    """Return the projections to the latent ranks, which no rank shares [1]."""
    return hidden * (latent.q_rank + latent.kv_rank + latent.rope_dim)


def attention_params(model: ModelSpec) -> int:
    """Return the parameters of the attention of one block: matrices, biases, inner norms [1]."""
    return attention_matrix_params(model) + sum(_attention_small(model))


def _attention_small(model: ModelSpec) -> tuple[int, int]:
    """Return the vectors of the attention of one block: those divided by tp, and the others."""
    columns = model.qkv_bias * (model.heads + 2 * model.kv_heads) * model.head_dim
    rows = model.out_bias * model.hidden
    if model.latent is not None:
        return 0, rows + model.latent.q_rank + model.latent.kv_rank
    return columns, rows + model.qk_norm * 2 * model.head_dim


def mlp_matrix_params(model: ModelSpec, ffn: int) -> int:
    """Return the weights of an MLP of width `ffn`, without biases: 2 h f, or 3 h f if gated [1]."""
    return (2 + model.gated) * model.hidden * ffn


def _mlp_column_bias(model: ModelSpec, ffn: int) -> int:
    """Return the biases of an MLP along its width [1]."""
    return model.mlp_bias * (1 + model.gated) * ffn


def mlp_params(model: ModelSpec, ffn: int) -> int:
    """Return the parameters of an MLP of width `ffn` [1]."""
    biases = _mlp_column_bias(model, ffn) + model.mlp_bias * model.hidden
    return mlp_matrix_params(model, ffn) + biases


def dense_mlp_params(model: ModelSpec) -> int:
    """Return the parameters of the dense MLP of one block [1]."""
    return mlp_params(model, model.ffn)


def expert_params(model: ModelSpec) -> int:
    """Return the parameters of one routed expert; 0 for a dense model [1]."""
    return mlp_params(model, model.experts.ffn) if model.experts else 0


def shared_expert_params(model: ModelSpec) -> int:
    """Return the parameters of the shared experts of one block, with their gate [1]."""
    if model.experts is None or not model.experts.shared_ffn:
        return 0
    gate = model.experts.shared_gate * model.hidden
    return mlp_params(model, model.experts.shared_ffn) + gate


def router_params(model: ModelSpec) -> int:
    """Return the parameters of the router of one block; 0 for a dense model [1]."""
    if model.experts is None:
        return 0
    return model.experts.count * (model.hidden + model.experts.router_bias)


def norm_params(model: ModelSpec) -> int:
    """Return the parameters of one norm on the residual stream [1]."""
    return WEIGHTS_PER_NORM[model.norm] * model.hidden


def layer_params(model: ModelSpec, *, moe: bool) -> LayerParams:
    """Return the parameters of a block with experts, or of a dense one."""
    columns, rows = _attention_small(model)
    down = _down_params(model.hidden, model.latent) if model.latent else 0
    tensor = attention_matrix_params(model) - down + columns
    replicated = down + rows + model.norms_per_layer * norm_params(model)
    ffn = model.ffn
    experts = 0
    if moe and model.experts is not None:
        ffn = model.experts.shared_ffn
        experts = model.experts.count * expert_params(model)
        replicated += router_params(model) + bool(ffn) * model.experts.shared_gate * model.hidden
    if ffn:
        tensor += mlp_matrix_params(model, ffn) + _mlp_column_bias(model, ffn)
        replicated += model.mlp_bias * model.hidden
    return LayerParams(tensor=tensor, experts=experts, replicated=replicated)


def embedding_params(model: ModelSpec) -> int:
    """Return the parameters of the embedding, and of the projection to *h* if it has one [1]."""
    width = model.embedding_dim
    return (model.vocab + model.hidden) * width if width else model.vocab * model.hidden


def position_params(model: ModelSpec) -> int:
    """Return the parameters of the position table; 0 where positions are not learned [1]."""
    return model.max_positions * model.hidden if model.positions == "learned" else 0


def head_matrix_params(model: ModelSpec) -> int:
    """Return the weights that the output multiplies with, tied to the embedding or not [1]."""
    return embedding_params(model)


def head_layers(model: ModelSpec) -> float:
    """Return the weights of the output projection over those of a block's matrices [1].

    nanotron divides layers among pipeline stages by it (``get_block_compute_costs`` in
    src/nanotron/models/llama.py).
    """
    block = attention_matrix_params(model) + mlp_matrix_params(model, model.ffn)
    return head_matrix_params(model) / block


def head_params(model: ModelSpec) -> int:
    """Return the parameters that the output has of its own [1]."""
    if model.tied:
        return model.embedding_dim * model.hidden
    return head_matrix_params(model)


def end_params(model: ModelSpec) -> EndParams:
    """Return the parameters before the first and after the last block."""
    return EndParams(
        embedding=embedding_params(model),
        positions=position_params(model) + model.embedding_norm * norm_params(model),
        head=head_params(model),
        final=model.final_norm * norm_params(model),
    )


def total_params(model: ModelSpec) -> int:
    """Return all parameters, a tied embedding once [1]."""
    dense, moe = (layer_params(model, moe=moe).total for moe in (False, True))
    return model.dense_layers * dense + model.moe_layers * moe + end_params(model).total


def active_params(model: ModelSpec) -> int:
    """Return the parameters that one token meets: of the routed experts only the top k [1].

    The embedding counts whole, as in the published figures (DeepSeek-V3: 37 B of 671 B).
    """
    if model.experts is None:
        return total_params(model)
    idle = model.experts.count - model.experts.top_k
    return total_params(model) - model.moe_layers * idle * expert_params(model)


def matmul_params(model: ModelSpec) -> int:
    """Return the weights that one token is multiplied with: matrices only, no look-up [1].

    The output projection counts, tied or not; the embedding, norms and biases do not.
    """
    attention = model.layers * attention_matrix_params(model)
    dense = model.dense_layers * mlp_matrix_params(model, model.ffn)
    experts = 0
    if model.experts is not None:
        routed = model.experts.top_k * mlp_matrix_params(model, model.experts.ffn)
        shared = mlp_matrix_params(model, model.experts.shared_ffn)
        choice = (model.experts.count + model.experts.shared_gate) * model.hidden
        experts = model.moe_layers * (routed + shared + choice)
    return attention + dense + experts + head_matrix_params(model)
