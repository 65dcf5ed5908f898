r"""What failures cost a long run: checkpoints, lost work, restarts.

Failures come at random (exponential intervals), any node's failure stops the job, and the job
goes back to its last checkpoint.

Symbols
-------
M : mean time between failures of the job
delta : time to write a checkpoint, while training waits
tau : time of training between checkpoints
R : time to restart: detect, replace, load

References
----------
.. [1] J. W. Young, "A first order approximation to the optimum checkpoint interval",
   Communications of the ACM 17(9), 1974. doi:10.1145/361147.361115
.. [2] J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps",
   Future Generation Computer Systems 22(3), 2006. doi:10.1016/j.future.2004.11.016
"""

import numpy as np

from plan3d.simulator.numeric import Numeric


def job_mtbf_s(
    node_mtbf_s: Numeric,
    nodes: Numeric,
    gpu_mtbf_s: Numeric = np.inf,
    gpus: Numeric = 0.0,
) -> Numeric:
    r"""Mean time between failures of a job that needs all its nodes and GPUs [s].

    .. math:: \frac1M = \frac{n}{M_{node}} + \frac{N}{M_{gpu}}

    Parameters
    ----------
    node_mtbf_s
        Mean time between failures of one node, its GPUs left out where they are given. [s]
        Scalar or (n,).
    nodes
        *n*. [1]
    gpu_mtbf_s
        Mean time between failures of one GPU. [s]
    gpus
        *N*. [1]
    """
    return 1 / (nodes / node_mtbf_s + gpus / gpu_mtbf_s)


def checkpoint_bytes(params: Numeric, parameter_bytes: Numeric = 12.0) -> Numeric:
    r"""Size of a checkpoint that training can go on from [bytes].

    .. math:: w\,P

    Parameters
    ----------
    params
        *P*. [1] Scalar or (n,).
    parameter_bytes
        *w*: what one parameter takes. Master copy and two Adam states in fp32 are 12, from which
        16-bit weights follow. [bytes]
    """
    return params * parameter_bytes


def checkpoint_s(size_bytes: Numeric, write_bytes_per_s: Numeric) -> Numeric:
    r"""Time to write a checkpoint [s].

    .. math:: \delta = S / B

    Parameters
    ----------
    size_bytes
        *S*, over all ranks. [bytes] Scalar or (n,).
    write_bytes_per_s
        *B* of the storage, or of all ranks to their host memory. [bytes/s]
    """
    return size_bytes / write_bytes_per_s


def young_interval_s(write_s: Numeric, mtbf_s: Numeric) -> Numeric:
    r"""Best time between checkpoints, to first order (Young 1974) [s].

    .. math:: \tau = \sqrt{2\,\delta\,M}

    Parameters
    ----------
    write_s
        *delta*. [s] Scalar or (n,).
    mtbf_s
        *M*, of the job. [s]
    """
    return np.sqrt(2 * write_s * mtbf_s)


def daly_interval_s(write_s: Numeric, mtbf_s: Numeric) -> Numeric:
    r"""Best time between checkpoints, to higher order (Daly 2006) [s].

    .. math::
       \tau = \sqrt{2\,\delta\,M}\left[1 + \frac13\sqrt{\frac{\delta}{2M}}
       + \frac19\,\frac{\delta}{2M}\right] - \delta
       \quad \text{for}\ \delta < 2M, \ \text{else}\ M

    Parameters, shapes and units are those of `young_interval_s`.
    """
    ratio = write_s / (2 * mtbf_s)
    series = 1 + np.sqrt(ratio) / 3 + ratio / 9
    return np.where(ratio < 1, young_interval_s(write_s, mtbf_s) * series - write_s, mtbf_s)


def goodput_fraction(
    interval_s: Numeric, write_s: Numeric, restart_s: Numeric, mtbf_s: Numeric
) -> Numeric:
    r"""Share of the time that trains and is not lost, on average (Daly 2006) [1].

    .. math:: \frac{\tau}{M\,e^{R/M}\left(e^{(\tau + \delta)/M} - 1\right)}

    The complete form: failures during checkpoints, restarts and repeated work are counted. M is
    finite; without failures it tends to :math:`\tau / (\tau + \delta)`.

    Parameters
    ----------
    interval_s
        *tau*. [s] Scalar or (n,).
    write_s
        *delta*. [s]
    restart_s
        *R*. [s]
    mtbf_s
        *M*, of the job. [s]
    """
    segment = (interval_s + write_s) / mtbf_s
    # e^-x / (1 - e^-x) is 1 / (e^x - 1), and does not overflow for hopeless jobs
    succeeds = np.exp(-restart_s / mtbf_s - segment)
    return interval_s / mtbf_s * succeeds / -np.expm1(-segment)


def failures(time_s: Numeric, mtbf_s: Numeric) -> Numeric:
    r"""Failures of the job to expect [1].

    .. math:: t / M

    Parameters
    ----------
    time_s
        Duration, *t*. [s] Scalar or (n,).
    mtbf_s
        *M*. [s]
    """
    return time_s / mtbf_s


def lost_gpu_s(time_s: Numeric, gpus: Numeric, goodput: Numeric) -> Numeric:
    r"""GPU time that does not train: checkpoints, repeated work and restarts [s].

    .. math:: t\,N\,(1 - g)

    Parameters
    ----------
    time_s
        Duration of the run, *t*. [s] Scalar or (n,).
    gpus
        *N*. [1]
    goodput
        *g*: `goodput_fraction`. [1]
    """
    return time_s * gpus * (1 - goodput)
