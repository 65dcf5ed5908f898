"""A whole training run, failures included: what the step's estimate becomes on the bill."""

from dataclasses import dataclass
from typing import Final

from plan3d.simulator import textbook
from plan3d.simulator.economics import KWH_J, RunCost, run_cost
from plan3d.simulator.errors import InputError
from plan3d.simulator.footprint import Site, electricity_usd, emissions_kg, site_energy_j
from plan3d.simulator.goodput import failures, lost_gpu_s
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.parameters import active_params
from plan3d.simulator.reliability import Interruptions, Reliability, interruptions
from plan3d.simulator.result import Estimate
from plan3d.simulator.workload import Workload

USUAL: Final = (0.30, 0.55)
"""Utilisation that real clusters reach (K. Yuan, lecture, Peking University, 2024, part 2). [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRun:
    """What a run takes from its start to its end."""

    ideal: RunCost
    """Without failures and checkpoints: what a search prints."""
    cost: RunCost
    """With them."""
    stops: Interruptions
    failures: float
    """Failures to expect. [1]"""
    lost_gpu_s: float
    """GPU time that does not train. [s]"""
    site_energy_j: float
    """Hosts and cooling included. [J]"""
    emissions_kg: float
    """CO2 equivalents. [kg]"""
    electricity_usd: float
    """The bill of whoever owns the machines; rent includes it. [USD]"""

    @property
    def site_energy_kwh(self) -> float:
        """Energy with hosts and cooling [kWh]."""
        return self.site_energy_j / KWH_J


def whole_run(
    model: ModelSpec,
    work: Workload,
    cluster: Cluster,
    estimate: Estimate,
    tokens: float,
    *,
    parts: Reliability | None = None,
    site: Site | None = None,
) -> WholeRun:
    """Return what a run of that many tokens takes.

    Parameters
    ----------
    model, work, cluster
        Size of the checkpoints, rent and power of the GPUs.
    estimate
        One step.
    tokens
        Tokens of the run. [tokens]
    parts, site
        How reliable the machines are, and where they stand; by default what `SOURCES` of
        `plan3d.simulator.reliability` and `plan3d.simulator.footprint` say.

    Raises
    ------
    InputError
        If tokens is not above 0, or the job fails before it can get anything done.
    """
    where = site or Site()
    stops = interruptions(model, work, estimate.gpus, cluster.gpus_per_node, parts or Reliability())
    if stops.goodput <= 0:
        raise InputError(
            f"nothing is ever trained: something fails every {stops.mtbf_s:,.3g} s, which is less "
            "than a restart and a checkpoint take; use fewer GPUs, or more reliable ones"
        )
    cost = run_cost(estimate, cluster.gpu, tokens, stops.goodput)
    energy_j = float(site_energy_j(cost.energy_j, where.host_share, where.pue))
    return WholeRun(
        ideal=run_cost(estimate, cluster.gpu, tokens),
        cost=cost,
        stops=stops,
        failures=float(failures(cost.time_s, stops.mtbf_s)),
        lost_gpu_s=float(lost_gpu_s(cost.time_s, estimate.gpus, stops.goodput)),
        site_energy_j=energy_j,
        emissions_kg=float(emissions_kg(energy_j, where.co2_kg_per_j)),
        electricity_usd=float(electricity_usd(energy_j, where.usd_per_j)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OneLine:
    """8TP/(NFU) or 6TP/(NFU) beside the model's own time."""

    flop_per_token: float
    """Per parameter: 8 with full recomputation, 6 without. [FLOP]"""
    utilisation: float
    """U that the formula needs to give the model's time. [1]"""
    time_s: tuple[float, float]
    """Time at the upper and at the lower end of what clusters usually reach (`USUAL`). [s]"""


def one_line(model: ModelSpec, estimate: Estimate, tokens: float) -> tuple[OneLine, OneLine]:
    """Return the two formulas of lectures and papers (`plan3d.simulator.textbook`)."""
    params, time_s = float(active_params(model)), estimate.step_time_s * tokens / estimate.tokens
    rate = estimate.peak_flop_per_s

    def line(recompute: float) -> OneLine:
        low, high = (
            textbook.training_time_s(params, tokens, estimate.gpus, rate, u, recompute=recompute)
            for u in USUAL
        )
        used = textbook.utilisation(
            params, tokens, estimate.gpus, rate, time_s, recompute=recompute
        )
        return OneLine(
            flop_per_token=6 + 2 * recompute,
            utilisation=float(used),
            time_s=(float(high), float(low)),
        )

    return line(1.0), line(0.0)
