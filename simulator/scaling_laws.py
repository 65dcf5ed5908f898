r"""Compute-optimal size and data for a FLOP budget, by two laws that disagree.

Symbols
-------
C : work of training [FLOP]
N, D : parameters, training tokens

References
----------
.. [1] J. Hoffmann et al., "Training Compute-Optimal Large Language Models" (Chinchilla), 2022,
   section 3. arXiv:2203.15556
.. [2] J. Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1 and
   appendix A. arXiv:2001.08361
"""

from dataclasses import dataclass
from typing import Final

from plan3d.simulator.numeric import Numeric

CHINCHILLA_TOKENS: Final = 20.0
"""Tokens per parameter at Chinchilla's optimum ([1]_, table 3: 70B parameters, 1.4T). [1]"""
PETAFLOP_DAY: Final = 1e15 * 86400
"""The unit of [2]_. [FLOP]"""


def chinchilla_parameters(
    flop: Numeric, tokens_per_parameter: Numeric = CHINCHILLA_TOKENS
) -> Numeric:
    r"""Compute-optimal parameters, if size and data grow alike (Hoffmann et al.) [1].

    .. math:: C = 6 N D,\ D = k N \implies N = \sqrt{C / 6k} \propto C^{0.5}

    Parameters
    ----------
    flop
        Budget, *C*. [FLOP] Scalar or (n,).
    tokens_per_parameter
        *k*. [1]

    Notes
    -----
    The exponent is 0.50, 0.49 or 0.46 by the three methods of [1]_, table 2.
    """
    return (flop / (6 * tokens_per_parameter)) ** 0.5


def kaplan_parameters(flop: Numeric) -> Numeric:
    r"""Compute-optimal parameters, embeddings left out, if size comes first (Kaplan et al.) [1].

    .. math:: N = 1.3 \times 10^9 \left(\frac{C}{\text{PF-day}}\right)^{0.73}

    Parameters
    ----------
    flop
        Budget, *C*: the law's minimal one, small batches. [FLOP] Scalar or (n,).

    Notes
    -----
    [2]_, appendix A, table 6. Data follows from `tokens_within`, growing as :math:`C^{0.27}`; the
    paper's own constant for it, 2e10 tokens at one PF-day, is about twice that, because it trains
    at the critical batch size.
    """
    return 1.3e9 * (flop / PETAFLOP_DAY) ** 0.73


def tokens_within(flop: Numeric, params: Numeric) -> Numeric:
    r"""Tokens that a budget lasts for a model of given size ([2]_, section 2.1) [tokens].

    .. math:: D = C / 6N

    Parameters
    ----------
    flop
        Budget, *C*. [FLOP] Scalar or (n,).
    params
        *N*. [1]
    """
    return flop / (6 * params)


def chinchilla_flop(params: Numeric, tokens_per_parameter: Numeric = CHINCHILLA_TOKENS) -> Numeric:
    r"""Budget for which a size is compute-optimal: `chinchilla_parameters` inverted [FLOP].

    .. math:: C = 6\,k\,N^2

    Parameters
    ----------
    params
        *N*. [1] Scalar or (n,).
    tokens_per_parameter
        *k*. [1]
    """
    return 6 * tokens_per_parameter * params**2


def budget_flop(gpu_s: Numeric, peak_flop_per_s: Numeric, utilisation: Numeric) -> Numeric:
    r"""Work that an amount of GPU time does [FLOP].

    .. math:: C = t\,F\,U

    Parameters
    ----------
    gpu_s
        GPU time, *t*. [s] Scalar or (n,).
    peak_flop_per_s
        *F*. [FLOP/s]
    utilisation
        MFU, *U*. [1]
    """
    return gpu_s * peak_flop_per_s * utilisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """What a law makes of a budget."""

    law: str
    params: float
    tokens: float

    @property
    def tokens_per_parameter(self) -> float:
        """How long each parameter is trained [1]."""
        return self.tokens / self.params


def optima(flop: float) -> tuple[Optimum, ...]:
    """Return the compute-optimal model and data of a budget, by both laws; :math:`C = 6ND`."""
    laws = {"chinchilla": chinchilla_parameters(flop), "kaplan": kaplan_parameters(flop)}
    return tuple(
        Optimum(law=law, params=float(n), tokens=float(tokens_within(flop, n)))
        for law, n in laws.items()
    )
