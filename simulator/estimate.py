"""Put the formulas together: the estimate of one optimizer step."""

from plan3d.simulator.hardware import Cluster
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.result import Estimate, EstimateTable
from plan3d.simulator.software import Software
from plan3d.simulator.workload import Workload


def estimate_table(
    model: ModelSpec, work: Workload, cluster: Cluster, software: Software, table: LayoutTable
) -> EstimateTable:
    """Estimate one step for every layout of a table."""
    raise NotImplementedError


def estimate(
    model: ModelSpec, work: Workload, cluster: Cluster, software: Software, layout: Layout
) -> Estimate:
    """Estimate one step for one layout: the first row of a table of one."""
    return estimate_table(model, work, cluster, software, LayoutTable.of([layout])).row(0)
