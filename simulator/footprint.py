r"""From the energy of the GPUs to that of the site, its emissions and its bill.

References
----------
.. [1] H. Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023, section 6
   and table 15: GPU hours x power x PUE, and 0.385 kg/kWh. arXiv:2302.13971
.. [2] I. Latif et al., "Empirical Measurements of AI Training Power Demand on a GPU-Accelerated
   Node", 2024. arXiv:2412.08602
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from plan3d.simulator.economics import KWH_J
from plan3d.simulator.errors import InputError
from plan3d.simulator.numeric import Numeric


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a cluster stands. `SOURCES` says where the defaults are from."""

    host_share: float = 0.5
    """Power of what is not a GPU (processors, memory, adapters, fans) over the GPUs'. [1]"""
    pue: float = 1.1
    """Power usage effectiveness: energy of the site over that of its machines. [1]"""
    co2_kg_per_j: float = 0.480 / KWH_J
    """Emissions of the grid, in CO2 equivalents. [kg/J]"""
    usd_per_j: float = 0.08 / KWH_J
    """Price of electricity. [USD/J]"""

    def __post_init__(self) -> None:
        for name, least in (("host_share", 0), ("pue", 1), ("co2_kg_per_j", 0), ("usd_per_j", 0)):
            value = getattr(self, name)
            if not least <= value < float("inf"):
                raise InputError(f"{name} is {value:g}, but must be a number from {least}")


SOURCES: Final[Mapping[str, str]] = {
    "host_share": "8.4 kW at most of a node whose eight GPUs may draw 5.6 kW (arXiv:2412.08602)",
    "pue": "large sites (arXiv:2302.13971, section 6); the mean of all is 1.58 "
    "(Uptime Institute, 2023)",
    "co2_kg_per_j": "mean of the world in 2023 (Ember, Global Electricity Review 2024: 480 g/kWh); "
    "30 in Norway, 385 in the United States (arXiv:2302.13971), 713 in India",
    "usd_per_j": "industry in the United States in 2023 (EIA, Electric Power Monthly, table 5.3)",
}
"""Where the defaults of `Site` are from."""


def site_energy_j(gpu_energy_j: Numeric, host_share: Numeric, pue: Numeric) -> Numeric:
    r"""Energy that a site takes for what its GPUs take ([1]_, with hosts) [J].

    .. math:: E_{site} = E_{gpu}\,(1 + h)\,\text{PUE}

    Parameters
    ----------
    gpu_energy_j
        Energy of the GPUs. [J] Scalar or (n,).
    host_share
        Power of the rest of the machines over the GPUs', *h*. [1]
    pue
        Power usage effectiveness. [1]
    """
    return gpu_energy_j * (1 + host_share) * pue


def emissions_kg(energy_j: Numeric, co2_kg_per_j: Numeric) -> Numeric:
    r"""Emissions of a grid for an amount of energy, in CO2 equivalents ([1]_) [kg].

    .. math:: E\,g

    Parameters
    ----------
    energy_j
        Energy of the site, *E*. [J] Scalar or (n,).
    co2_kg_per_j
        Carbon intensity, *g*. [kg/J]
    """
    return energy_j * co2_kg_per_j


def electricity_usd(energy_j: Numeric, usd_per_j: Numeric) -> Numeric:
    r"""Bill for an amount of energy: whoever rents has paid it with the rent [USD].

    .. math:: E\,c

    Parameters
    ----------
    energy_j
        Energy of the site, *E*. [J] Scalar or (n,).
    usd_per_j
        Price, *c*. [USD/J]
    """
    return energy_j * usd_per_j
