"""Scores of predictions against measurements."""

from dataclasses import dataclass

import numpy as np

from plan3d.simulator.numeric import Bools, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorScore:
    """Relative errors, predicted over measured less one, of one group of rows."""

    n: int
    mape: float
    """Mean of their magnitudes. [1]"""
    bias: float
    """Mean: positive is too slow, or too large. [1]"""
    p90: float
    """90 % of the magnitudes are at most this. [1]"""


def error_score(predicted: Floats, measured: Floats) -> ErrorScore:
    """Return the scores of a group of rows; columns of shape (n,), n >= 1."""
    error = predicted / measured - 1
    size = np.abs(error)
    return ErrorScore(
        n=len(error),
        mape=float(size.mean()),
        bias=float(error.mean()),
        p90=float(np.quantile(size, 0.9)),
    )


def kendall_tau(x: Floats, y: Floats) -> float:
    r"""Return Kendall's rank correlation with ties, tau-b [1].

    .. math:: \tau_b = \frac{P - Q}{\sqrt{(n_0 - n_x)(n_0 - n_y)}}

    with P concordant and Q discordant of the :math:`n_0` pairs, and :math:`n_x, n_y` pairs tied
    in each column; 0 where all of one column are tied.

    References
    ----------
    .. [1] M. G. Kendall, "The treatment of ties in ranking problems", Biometrika 33(3), 1945.

    Examples
    --------
    >>> kendall_tau(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))  # 2 of 3 pairs agree
    0.3333333333333333
    """
    dx = np.sign(x[:, None] - x[None, :])
    dy = np.sign(y[:, None] - y[None, :])
    untied = np.sqrt(float(np.sum(dx != 0)) * float(np.sum(dy != 0)))
    return float(np.sum(dx * dy) / untied) if untied else 0.0


def regret(predicted: Floats, measured: Floats) -> float:
    """Return what trusting the model costs: its pick's measured time over the best's, less 1."""
    return float(measured[int(np.argmin(predicted))] / measured.min() - 1)


def balanced_accuracy(predicted: Bools, actual: Bools) -> float | None:
    """Return the mean of the two hit rates, or None if one of the classes is empty."""
    if actual.all() or not actual.any():
        return None
    return float((predicted[actual].mean() + (~predicted[~actual]).mean()) / 2)
