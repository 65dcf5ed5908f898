"""How sure estimates are: intervals and chances, for a table of layouts or one of them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from plan3d.planner.result import Interval, Job, Outlook
from plan3d.planner.uncertainty.calibration import Calibration, shipped
from plan3d.planner.uncertainty.chances import PLANS, chance_near_best
from plan3d.planner.uncertainty.conformal import Band
from plan3d.planner.uncertainty.regimes import Regime, regimes
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Bools, Floats, Ints
from plan3d.simulator.result import EstimateTable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlooks:
    """`Outlook` of many layouts: columns of shape (n,)."""

    calibration: Calibration
    regime: Ints
    step_time_s: Floats
    """As predicted. [s]"""
    memory_bytes: Floats
    """As predicted. [bytes]"""
    out_of_memory: Floats
    """Chance that the true peak is above the capacity. [1]"""

    def row(self, i: int) -> Outlook:
        """Return the outlook of row `i`."""
        regime = Regime(int(self.regime[i]))
        known = self.calibration.time[regime]
        return Outlook(
            regime=regime.label,
            suites=known.suites,
            inflation=known.inflation,
            step_time_s=measured(float(self.step_time_s[i]), known),
            memory_bytes=measured(float(self.memory_bytes[i]), self.calibration.memory),
            out_of_memory=float(self.out_of_memory[i]),
        )

    def near_best(self, order: Ints) -> float:
        """Return the chance that the first plan of an order is truly near the best of the first.

        The best `PLANS` of the order take part. [1]
        """
        spreads = list(self.calibration.spreads.values())
        return chance_near_best(self.step_time_s[order[:PLANS]], spreads)


class Forecast(Protocol):
    """Says how sure estimates are."""

    def __call__(self, table: LayoutTable, estimates: EstimateTable, /) -> Outlooks:
        """Return the outlook of each layout."""
        ...


def outlooks(
    job: Job, table: LayoutTable, estimates: EstimateTable, calibration: Calibration | None = None
) -> Outlooks:
    """Return how sure the estimates of a job's layouts are.

    Parameters
    ----------
    job
        The question.
    table, estimates
        Layouts and their estimates by the analytical model, n each.
    calibration
        By default what ships with plan3d.
    """
    known = calibration or shipped()
    time_s, memory_bytes = estimates.step_time_s, estimates.memory_bytes
    n = len(table)
    return Outlooks(
        calibration=known,
        regime=regimes(
            mfu=estimates.model_flop / (time_s * estimates.gpus * estimates.peak_flop_per_s),
            zero=table.zero,
            cp=table.cp,
            moe=_all(n, job.model.experts is not None),
            many_nodes=_all(n, job.gpus > job.cluster.gpus_per_node),
            seen=_all(n, known.knows(job.cluster.gpu.name)),
        ),
        step_time_s=time_s,
        memory_bytes=memory_bytes,
        out_of_memory=known.out_of_memory(
            memory_bytes - estimates.kept_bytes, estimates.capacity_bytes
        ),
    )


def measured(predicted: float, band: Band) -> Interval:
    r"""Return where a measurement is expected, in the unit of the prediction.

    .. math:: [\hat y e^{-r_\text{high}}, \hat y e^{-r_\text{low}}], \quad r = \log(\hat y / y)
    """
    return Interval(
        low=float(predicted * np.exp(-band.high)), high=float(predicted * np.exp(-band.low))
    )


def _all(n: int, value: bool) -> Bools:
    return np.full(n, value)
