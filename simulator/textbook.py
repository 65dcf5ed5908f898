r"""Closed forms of size and time, as lectures and papers write them on one line.

They are the *textbook* fidelity: exact to the digit, blind to kernels and networks. Memory is
`plan3d.simulator.textbook_memory`, traffic `plan3d.simulator.textbook_traffic`.

Symbols
-------
l, h, v : layers, hidden width, vocabulary
P, T : parameters, tokens of the whole run
N, F, U : GPUs (or pipeline stages), peak of one GPU [FLOP/s], utilisation
m : micro-batches of a step
r : share of the forward pass that is computed again in the backward pass

References
----------
.. [1] K. Yuan, "Distributed Optimization in LLMs", lecture, Peking University, 2024, parts 1-5.
.. [2] D. Narayanan et al., "Efficient Large-Scale Language Model Training on GPU Clusters Using
   Megatron-LM", SC 2021, sections 2.2 and 5.1. arXiv:2104.04473
.. [3] Y. Huang et al., "GPipe", NeurIPS 2019, section 2.3. arXiv:1811.06965
.. [4] J. Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1.
   arXiv:2001.08361
"""

from plan3d.simulator.numeric import Numeric


def parameters(layers: Numeric, hidden: Numeric, vocab: Numeric) -> Numeric:
    r"""Parameters of a GPT without biases, norms and positions ([1]_, part 1) [1].

    .. math:: P = 12\,l\,h^2 + 2\,v\,h

    Attention has :math:`4h^2` weights a layer, an MLP of width 4h has :math:`8h^2`; embedding and
    output projection have :math:`vh` each.

    Parameters
    ----------
    layers
        *l*. [1] Scalar or (n,).
    hidden
        *h*. [1]
    vocab
        *v*. [1]

    Examples
    --------
    >>> parameters(32, 4096, 32000)  # LLaMA-7B
    6704594944
    """
    return 12 * layers * hidden**2 + 2 * vocab * hidden


def training_flop(params: Numeric, tokens: Numeric, recompute: Numeric = 1.0) -> Numeric:
    r"""Work of training, 8TP with full recomputation and 6TP without ([2]_, [4]_) [FLOP].

    .. math:: C = (6 + 2\,r)\,T\,P

    Each weight takes 2 FLOP a token forward and 4 backward; the attention core is left out.

    Parameters
    ----------
    params
        *P*. [1] Scalar or (n,).
    tokens
        *T*. [1]
    recompute
        *r*: 1 recomputes the whole forward pass, 0 nothing. [1]
    """
    return (6 + 2 * recompute) * tokens * params


def recompute_factor(recompute: Numeric) -> Numeric:
    r"""Work with recomputation over work without, at most 4/3 ([2]_, section 3.5) [1].

    .. math:: \frac{(6 + 2r)\,T P}{6\,T P} = 1 + \frac{r}{3}

    Parameters
    ----------
    recompute
        *r*, see `training_flop`. [1]
    """
    return 1 + recompute / 3


def training_time_s(
    params: Numeric,
    tokens: Numeric,
    gpus: Numeric,
    peak_flop_per_s: Numeric,
    utilisation: Numeric,
    *,
    recompute: Numeric = 1.0,
) -> Numeric:
    r"""Time of a training run ([1]_, part 2; [2]_, equation 4) [s].

    .. math:: t = \frac{(6 + 2r)\,T P}{N F U}, \qquad \frac{8\,T P}{N F U}\ \text{for}\ r = 1

    Parameters
    ----------
    params
        *P*. [1] Scalar or (n,).
    tokens
        *T*. [1]
    gpus
        *N*. [1]
    peak_flop_per_s
        *F*. [FLOP/s]
    utilisation
        *U*; clusters reach 0.30 to 0.55 ([1]_, part 2). [1]
    recompute
        *r*, see `training_flop`. [1]
    """
    return training_flop(params, tokens, recompute) / (gpus * peak_flop_per_s * utilisation)


def utilisation(
    params: Numeric,
    tokens: Numeric,
    gpus: Numeric,
    peak_flop_per_s: Numeric,
    time_s: Numeric,
    *,
    recompute: Numeric = 1.0,
) -> Numeric:
    r"""Utilisation that a run of known duration had: `training_time_s` solved for U [1].

    .. math:: U = \frac{(6 + 2r)\,T P}{N F t}

    With r = 1 this is HFU of a run that recomputes everything, with r = 0 it is MFU. For
    LLaMA-65B on 2,048 A100 in 21 days it gives 0.63 and 0.47; [1]_ prints "around 0.3", which its
    own formula contradicts. The formula is kept.

    Parameters
    ----------
    params
        *P*. [1] Scalar or (n,).
    tokens
        *T*. [1]
    gpus
        *N*. [1]
    peak_flop_per_s
        *F*. [FLOP/s]
    time_s
        Duration of the run. [s]
    recompute
        *r*, see `training_flop`. [1]
    """
    return training_flop(params, tokens, recompute) / (gpus * peak_flop_per_s * time_s)


def bubble_fraction(stages: Numeric, micro_batches: Numeric, chunks: Numeric = 1.0) -> Numeric:
    r"""Idle time of a pipeline of equal stages over its ideal time ([2]_, section 2.2; [3]_) [1].

    .. math:: \frac{N - 1}{v\,m}

    Parameters
    ----------
    stages
        *N*. [1] Scalar or (n,).
    micro_batches
        *m*. [1]
    chunks
        Model chunks per stage, *v*; 1 is GPipe or plain 1F1B. [1]
    """
    return (stages - 1) / (chunks * micro_batches)


def uneven_bubble_fraction(
    slowest_s: Numeric, total_s: Numeric, stages: Numeric, micro_batches: Numeric
) -> Numeric:
    r"""Idle time of a pipeline of unequal stages over its ideal time ([1]_, part 4) [1].

    .. math:: \frac{N\,(\Sigma + (m - 1)\,\hat t\,)}{m\,\Sigma} - 1

    The first micro-batch passes all stages, the others follow one slowest stage apart; ideal is
    the same work spread evenly, :math:`m \Sigma / N`. Equal stages give `bubble_fraction`.

    Parameters
    ----------
    slowest_s
        Forward and backward of one micro-batch in the slowest stage, :math:`\hat t`. [s]
    total_s
        The same, summed over the stages: :math:`\Sigma`. [s]
    stages
        *N*. [1]
    micro_batches
        *m*. [1]
    """
    step_s = total_s + (micro_batches - 1) * slowest_s
    return stages * step_s / (micro_batches * total_s) - 1
