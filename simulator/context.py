"""What all rows of a table share: the question without the layout."""

from dataclasses import dataclass

from plan3d.simulator.hardware import Cluster
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.software import Software
from plan3d.simulator.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A model, its step, and what it runs on and with."""

    model: ModelSpec
    work: Workload
    cluster: Cluster
    software: Software
