r"""What a training run takes: days, GPU-hours, dollars, energy; and how a layout scores.

References
----------
.. [1] X. Ma, "Advanced Techniques in Large-Scale Pretraining", lecture CSCI 544, University of
   Southern California: the three criteria.
"""

from dataclasses import dataclass
from typing import Final

from plan3d.simulator.errors import InputError
from plan3d.simulator.hardware import Gpu
from plan3d.simulator.numeric import Numeric
from plan3d.simulator.result import Estimate

HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S
KWH_J: Final = 1000 * HOUR_S


def run_time_s(tokens: Numeric, step_tokens: Numeric, step_time_s: Numeric) -> Numeric:
    r"""Time of a run without interruption [s].

    .. math:: t = \frac{T}{T_{step}}\,t_{step}

    Parameters
    ----------
    tokens
        Tokens of the run, *T*. [tokens] Scalar or (n,).
    step_tokens
        Tokens of one step. [tokens]
    step_time_s
        Time of one step. [s]
    """
    return tokens / step_tokens * step_time_s


def cost_usd(time_s: Numeric, gpus: Numeric, usd_per_s: Numeric) -> Numeric:
    r"""Rent of the GPUs [USD].

    .. math:: t\,N\,c

    Parameters
    ----------
    time_s
        Duration, *t*. [s] Scalar or (n,).
    gpus
        *N*. [1]
    usd_per_s
        Rent of one GPU, *c*. [USD/s]
    """
    return time_s * gpus * usd_per_s


def rented_s(budget_usd: Numeric, usd_per_s: Numeric) -> Numeric:
    r"""GPU time that a budget rents, the inverse of `cost_usd` [s].

    .. math:: \frac{C}{c}

    Parameters
    ----------
    budget_usd
        *C*. [USD] Scalar or (n,).
    usd_per_s
        Rent of one GPU, *c*, above 0. [USD/s]
    """
    return budget_usd / usd_per_s


def energy_j(time_s: Numeric, gpus: Numeric, power_w: Numeric) -> Numeric:
    r"""Energy of the GPUs at their power limit: an upper bound, hosts and cooling excluded [J].

    .. math:: t\,N\,P

    Parameters
    ----------
    time_s
        Duration, *t*. [s] Scalar or (n,).
    gpus
        *N*. [1]
    power_w
        Board power limit of one GPU, *P*. [W]
    """
    return time_s * gpus * power_w


def tokens_per_usd(
    step_tokens: Numeric, step_time_s: Numeric, gpus: Numeric, usd_per_s: Numeric
) -> Numeric:
    r"""Tokens that one dollar of GPU rent trains on [1/USD].

    .. math:: \frac{T_{step}}{t_{step}\,N\,c}

    Parameters
    ----------
    step_tokens
        Tokens of one step. [tokens] Scalar or (n,).
    step_time_s
        Time of one step. [s]
    gpus
        *N*. [1]
    usd_per_s
        Rent of one GPU, *c*. [USD/s]
    """
    return step_tokens / cost_usd(step_time_s, gpus, usd_per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCost:
    """What a whole run takes."""

    time_s: float
    """From start to end, lost work included. [s]"""
    gpu_s: float
    """GPU time that is paid for. [s]"""
    cost_usd: float
    energy_j: float
    tokens: float

    @property
    def days(self) -> float:
        """Duration [days]."""
        return self.time_s / DAY_S

    @property
    def gpu_hours(self) -> float:
        """GPU time that is paid for [hours]."""
        return self.gpu_s / HOUR_S

    @property
    def energy_kwh(self) -> float:
        """Energy [kWh]."""
        return self.energy_j / KWH_J

    def slower(self, ratio: float) -> "RunCost":
        """Return the same run with steps that take `ratio` times as long. [1]."""
        return RunCost(
            time_s=self.time_s * ratio,
            gpu_s=self.gpu_s * ratio,
            cost_usd=self.cost_usd * ratio,
            energy_j=self.energy_j * ratio,
            tokens=self.tokens,
        )

    @property
    def tokens_per_usd(self) -> float:
        """Tokens for a dollar; infinite where the rent is 0 [1/USD]."""
        return self.tokens / self.cost_usd if self.cost_usd else float("inf")


def run_cost(estimate: Estimate, gpu: Gpu, tokens: float, goodput: float = 1.0) -> RunCost:
    """Return what a run of that many tokens takes.

    Parameters
    ----------
    estimate
        One step.
    gpu
        Its rent and power.
    tokens
        Tokens of the run. [tokens]
    goodput
        Share of the time that is not lost to failures: `plan3d.simulator.goodput`. [1]

    Raises
    ------
    InputError
        If tokens is not above 0, or goodput not between 0 (excluded) and 1.
    """
    if not 0 < tokens < float("inf"):
        raise InputError(f"tokens is {tokens:g}, but a run needs more than 0, such as 300e9")
    if not 0 < goodput <= 1:
        raise InputError(f"goodput is {goodput:g}, but must be above 0 and at most 1")
    time_s = float(run_time_s(tokens, estimate.tokens, estimate.step_time_s)) / goodput
    return RunCost(
        time_s=time_s,
        gpu_s=time_s * estimate.gpus,
        cost_usd=float(cost_usd(time_s, estimate.gpus, gpu.usd_per_s)),
        energy_j=float(energy_j(time_s, estimate.gpus, gpu.power_w)),
        tokens=tokens,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """The three criteria of a parallel strategy ([1]_): the less of each, the better."""

    redundant_computation: float
    """Work done beyond what the model needs, over what it needs. [1]"""
    peak_memory: float
    """Peak of the fullest stage over the GPU's memory; above 1 it does not fit. [1]"""
    communication: float
    """Exposed communication over the step. [1]"""


def criteria(estimate: Estimate) -> Criteria:
    """Score a layout on the three criteria."""
    time = estimate.time
    exposed_s = time.tp_comm_s + time.cp_comm_s + time.ep_comm_s + time.pp_comm_s + time.dp_comm_s
    return Criteria(
        redundant_computation=estimate.hardware_flop / estimate.model_flop - 1,
        peak_memory=estimate.memory_bytes / estimate.capacity_bytes,
        communication=exposed_s / estimate.step_time_s,
    )
