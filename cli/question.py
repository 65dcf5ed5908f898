"""What a command asks: a job, and what was said and assumed on the way to it."""

from dataclasses import dataclass

from plan3d.planner.frameworks import DEFAULT
from plan3d.planner.result import Job
from plan3d.simulator.economics import RunCost, run_cost
from plan3d.simulator.result import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A job, and how it was asked for."""

    job: Job
    tokens: float | None
    """Tokens of the whole training run, where known. [1]"""
    fidelity: str
    version: str
    options: str
    """The options that ask the same question again."""
    assumed: tuple[str, ...]
    """What the user did not say, a line each."""
    framework: str = DEFAULT
    """Whose layouts are asked for (`planner.frameworks`)."""
    hardware: str = ""
    """Name or path of the profile that the cluster is from."""

    def run_cost(self, estimate: Estimate) -> RunCost | None:
        """Return what the whole training run takes, if its tokens are known."""
        if self.tokens is None:
            return None
        return run_cost(estimate, self.job.cluster.gpu, self.tokens)
