"""Model FLOPs of training, one formula for each convention in use.

A multiply-add is 2 FLOP, and the backward pass costs twice the forward. Model FLOPs are what the
model needs, so nothing that is computed again counts (the hardware FLOPs of an HFU count that
too). The conventions differ in which weights they count and whether the attention that a causal
mask hides counts: the MFU of the same run differs by up to a third. plan3d's own is `matmul`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from plan3d.simulator.model import ModelSpec
from plan3d.simulator.numeric import Numeric
from plan3d.simulator.parameters import active_params, embedding_params, matmul_params
from plan3d.simulator.workload import Workload


def weight_flop_per_token(params: Numeric) -> Numeric:
    r"""Training work of the weights, attention left out [FLOP/token].

    .. math:: C = 6 N

    Parameters
    ----------
    params
        Weights that a token is multiplied with, *N*. [1]

    References
    ----------
    .. [1] J. Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1.
       arXiv:2001.08361
    """
    return 6.0 * params


def attention_flop_per_token(
    layers: Numeric, heads: Numeric, qk_dim: Numeric, v_dim: Numeric, keys: Numeric
) -> Numeric:
    r"""Training work of the attention cores, :math:`QK^T` and :math:`AV` [FLOP/token].

    .. math:: C = 6\,l\,a\,(d_{qk} + d_v)\,s

    With :math:`d_{qk} = d_v = d` this is the :math:`12 L H Q T` of PaLM; where also
    :math:`a d = h`, it is :math:`12 l h s`.

    Parameters
    ----------
    layers
        Transformer blocks *l*. [1]
    heads
        Query heads *a*. [1]
    qk_dim
        Width of a query or key head. [1]
    v_dim
        Width of a value head. [1]
    keys
        Keys that a token meets on average: *s*, or half of it under a causal mask. [tokens]

    References
    ----------
    .. [1] A. Chowdhery et al., "PaLM: Scaling Language Modeling with Pathways", 2022, appendix B.
       arXiv:2204.02311
    """
    return 6.0 * layers * heads * (qk_dim + v_dim) * keys


def keys_full(seq: Numeric, window: Numeric) -> Numeric:
    r"""Keys that a token meets when the causal mask is not counted [tokens].

    .. math:: \min(s, w)

    Parameters
    ----------
    seq
        Tokens of a sequence *s*. [tokens]
    window
        Sliding window *w*; infinite where there is none. [tokens]
    """
    return np.minimum(seq, window)


def keys_causal(seq: Numeric, window: Numeric) -> Numeric:
    r"""Keys that a token meets on average behind a causal mask [tokens].

    .. math:: w' \left(1 - \frac{w'}{2 s}\right), \quad w' = \min(s, w)

    Without a window this is :math:`s / 2`. (The diagonal, half a key, is left out as usual.)

    Parameters
    ----------
    seq
        Tokens of a sequence *s*. [tokens]
    window
        Sliding window *w*; infinite where there is none. [tokens]
    """
    met = np.minimum(seq, window)
    return met * (1.0 - met / (2.0 * seq))


def megatron_flop(
    batch: Numeric, seq: Numeric, layers: Numeric, hidden: Numeric, vocab: Numeric
) -> Numeric:
    r"""Work of one step with full recompute: four forwards' worth per block [FLOP].

    .. math:: F = 96 B s l h^2 \left(1 + \frac{s}{6h} + \frac{V}{16 l h}\right)

    This counts the recomputed forward: divided by the peak it gives an HFU, not an MFU.

    Parameters
    ----------
    batch
        Sequences of the step *B*. [1]
    seq
        Tokens of a sequence *s*. [tokens]
    layers
        Transformer blocks *l*. [1]
    hidden
        Width of the residual stream *h*. [1]
    vocab
        Vocabulary *V*. [1]

    References
    ----------
    .. [1] D. Narayanan et al., "Efficient Large-Scale Language Model Training on GPU Clusters Using
       Megatron-LM", SC 2021, equation 3. arXiv:2104.04473
    """
    shape = 1.0 + seq / (6.0 * hidden) + vocab / (16.0 * layers * hidden)
    return 96.0 * batch * seq * layers * hidden**2 * shape


def megatron_model_flop(
    batch: Numeric, seq: Numeric, layers: Numeric, hidden: Numeric, vocab: Numeric
) -> Numeric:
    r"""Work of one step with nothing recomputed [FLOP].

    .. math:: F = 72 B s l h^2 \left(1 + \frac{s}{6h} + \frac{V}{12 l h}\right)

    The output projection is never recomputed, so its share grows to 1/12. (Some reports take three
    quarters of `megatron_flop` instead, which counts only three quarters of it.) Parameters are
    those of `megatron_flop`.

    References
    ----------
    .. [1] V. Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models",
       2022, equation 7 (appendix A). arXiv:2205.05198
    """
    shape = 1.0 + seq / (6.0 * hidden) + vocab / (12.0 * layers * hidden)
    return 72.0 * batch * seq * layers * hidden**2 * shape


Convention = Callable[[ModelSpec, Numeric], Numeric]
"""Model, tokens of a sequence -> FLOP per token."""


def _attention(model: ModelSpec, keys: Numeric) -> Numeric:
    return attention_flop_per_token(model.layers, model.heads, model.qk_dim, model.v_dim, keys)


def _window(model: ModelSpec) -> float:
    return float(model.window) or np.inf


def _matmul(model: ModelSpec, seq: Numeric) -> Numeric:
    full = _attention(model, keys_full(seq, _window(model)))
    return weight_flop_per_token(matmul_params(model)) + full


def _matmul_causal(model: ModelSpec, seq: Numeric) -> Numeric:
    causal = _attention(model, keys_causal(seq, _window(model)))
    return weight_flop_per_token(matmul_params(model)) + causal


def _palm(model: ModelSpec, seq: Numeric) -> Numeric:
    return weight_flop_per_token(active_params(model)) + _attention(model, seq)


def _palm_without_embedding(model: ModelSpec, seq: Numeric) -> Numeric:
    looked_up = 0 if model.tied else embedding_params(model)
    weights = weight_flop_per_token(active_params(model) - looked_up)
    return weights + _attention(model, seq)


def _weights_only(model: ModelSpec, seq: Numeric) -> Numeric:
    return weight_flop_per_token(active_params(model)) + 0.0 * seq


def _megatron(model: ModelSpec, seq: Numeric) -> Numeric:
    return megatron_flop(1.0 / seq, seq, model.layers, model.hidden, model.vocab)


def _megatron_model(model: ModelSpec, seq: Numeric) -> Numeric:
    return megatron_model_flop(1.0 / seq, seq, model.layers, model.hidden, model.vocab)


CONVENTIONS: Final[Mapping[str, Convention]] = MappingProxyType(
    {
        "matmul": _matmul,
        "matmul-causal": _matmul_causal,
        "6N": _weights_only,
        "palm": _palm,
        "palm-without-embedding": _palm_without_embedding,
        "megatron-2021": _megatron,
        "megatron-2022": _megatron_model,
    }
)
"""FLOP per token by convention.

matmul
    Exact: three forward passes of every matrix product of the model, attention in full (or within
    its window). It is PaLM's 6N + 12LHQT with *N* the active weights that are multiplied with: the
    output projection counts, the embedding look-up does not. The default.
matmul-causal
    The same, but only the attention that the causal mask leaves.
6N
    Active parameters, no attention.
palm
    6N + 12LHQT with *N* all active parameters, embeddings included (PaLM, appendix B; nanoGPT).
palm-without-embedding
    The same without an embedding of its own (torchtitan).
megatron-2021
    `megatron_flop`: dense GPT shapes, and one recomputed forward counts.
megatron-2022
    `megatron_model_flop`: dense GPT shapes.
"""


def model_flop_per_token(model: ModelSpec, seq: Numeric) -> Numeric:
    r"""Training work by the default convention, `matmul` [FLOP/token].

    .. math:: C = 6 N_{matmul} + 6\,l\,a\,(d_{qk} + d_v)\,\min(s, w)

    Parameters
    ----------
    model
        The model; its routed experts count top k times.
    seq
        Tokens of a sequence *s*. [tokens]

    References
    ----------
    .. [1] A. Chowdhery et al., "PaLM: Scaling Language Modeling with Pathways", 2022, appendix B.
       arXiv:2204.02311
    """
    return _matmul(model, seq)


def model_flop_per_step(model: ModelSpec, work: Workload) -> float:
    """Return the model FLOPs of one optimizer step, by the default convention [FLOP]."""
    return float(work.tokens * model_flop_per_token(model, float(work.seq)))
