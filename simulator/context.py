"""What all rows of a table share: the question without the layout."""

from dataclasses import dataclass

from plan3d.simulator.hardware import Cluster
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.parameters import head_layers
from plan3d.simulator.software import Software
from plan3d.simulator.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A model, its step, and what it runs on and with."""

    model: ModelSpec
    work: Workload
    cluster: Cluster
    software: Software

    @property
    def head_in_layers(self) -> float:
        """Layers that the output projection counts as where a split by cost has it; else 0 [1].

        A hair more, where a stage whose cost is its share gets another layer.
        """
        if not self.software.head_in_split:
            return 0.0
        return head_layers(self.model) * (1 + 1e-9 * self.software.split_beyond)
