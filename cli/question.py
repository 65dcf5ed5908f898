"""What a command asks: a job, and what was said and assumed on the way to it."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from plan3d.planner.frameworks import DEFAULT
from plan3d.planner.result import Job
from plan3d.simulator.economics import RunCost, run_cost
from plan3d.simulator.result import Estimate

USUAL: Final[Mapping[str, object]] = {
    "searcher": "exhaustive", "objective": "time", "top": 5, "prefer_safe": True, "events": False
}  # fmt: skip
"""Options of a search that need not be said."""


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


def asking(command: str, question: Question, **others: object) -> str:
    """Return the command line that asks a question.

    Parameters
    ----------
    command
        Of plan3d.
    question
        Whose options were said.
    others
        Further options by name: what is None, or a default of `USUAL`, is left out.
    """
    parts = [f"plan3d {command} {question.options}"]
    for name, value in others.items():
        if value is None or USUAL.get(name) == value:
            continue
        option = f"--{name.replace('_', '-')}"
        for one in value if isinstance(value, list) else [value]:
            parts.append(_said(option, one))
    return " ".join(parts)


def _said(option: str, value: object) -> str:
    """Return an option with its value; one that is or is not has none."""
    if isinstance(value, bool):
        return option if value else option.replace("--", "--no-", 1)
    return f"{option} {shlex.quote(str(value))}"
