"""What is fitted to published runs: constants, whose they are, what was thought of them before.

Read from benchmarks/software_fits.toml; used by fit_software.py.
"""

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from plan3d.planner.validation.rows import Case

THOUGHT: Final = tomllib.loads(Path(__file__).with_name("software_fits.toml").read_text())
NETWORK: Final = "network."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One constant that is fitted, as so many widths from what was thought."""

    owner: str
    """A generation, or ``network.`` and the name of a network."""
    field: str
    thought: float
    """Before any measurement, in SI."""
    width: float
    """One standard deviation of that, for this owner alone; of the logarithm where `ratio`."""
    ratio: bool
    common: int = -1
    """Which of the shifts that generations have in common it takes part in; -1 is none."""
    pull: float = 0.0
    """One standard deviation of that shift, over `width`. [1]"""

    def value(self, x: float) -> float:
        """Return the value that stands `x` widths from what was thought."""
        if self.ratio:
            return self.thought * float(np.exp(self.width * x))
        return max(self.thought + self.width * x, 0.0)

    def limits(self) -> tuple[float, float]:
        """Return how many widths are allowed below and above."""
        far = 6.0 * float(np.hypot(1.0, self.pull))
        if self.ratio:
            top = 1.0 if self.field.endswith("efficiency") else np.inf
            # 1 is fully fused, and experts that are balanced.
            bottom = 1.0 if self.field == "elementwise_traffic" else 0.0
            low = np.log(bottom / self.thought) / self.width if bottom else -far
            return float(low), min(far, float(np.log(top / self.thought)) / self.width + 1e-6)
        top = 1.0 if self.field.endswith("overlap") else np.inf
        return -self.thought / self.width - 1e-6, min(far, (top - self.thought) / self.width + 1e-6)


def width_of(text: str | float) -> tuple[float, bool]:
    """Return a width, and whether it is one of the logarithm: ``x 1.5`` or ``0.01``."""
    if isinstance(text, str):
        return float(np.log(float(text.removeprefix("x ")))), True
    return float(text), False


def constants(owner: str) -> list[Constant]:
    """Return what is fitted of a generation, or of a network."""
    table: Mapping[str, Any] = THOUGHT
    for part in owner.split(".", 1):
        table = table.get(part, {})
    found = []
    for field, thought in table.items():
        size, ratio = width_of(THOUGHT["widths"][field])
        shifts = [
            (i, width_of(shift["width"])[0])
            for i, shift in enumerate(THOUGHT["common"])
            if shift["field"] == field and owner in shift["of"]
        ]
        which, pull = shifts[0] if shifts else (-1, 0.0)
        found.append(
            Constant(
                owner=owner, field=field, thought=float(thought), width=size, ratio=ratio,
                common=which, pull=pull / size,
            )
        )  # fmt: skip
    return found


def memory_constants(kind: str = "memory") -> list[Constant]:
    """Return what is fitted of memory, or counted: in common to all generations that have it."""
    return [
        Constant(
            owner="", field=found["field"], thought=found["thought"], width=found["width"],
            ratio=False,
        )
        for found in THOUGHT[kind]
    ]  # fmt: skip


def owners() -> list[str]:
    """Return the generations and networks that have fitted constants."""
    networks = [NETWORK + name for name in THOUGHT["network"]]
    tables = ("widths", "common", "network", "together", "built_on", "memory", "counted",
              "outcome")  # fmt: skip
    return [name for name in THOUGHT if name not in tables] + networks


def owned(owner: str, case: Case) -> bool:
    """Whether a case says something about a generation or network."""
    if owner.startswith(NETWORK):
        return case.cluster.network.name == owner.removeprefix(NETWORK)
    name = case.software.name
    return THOUGHT["together"].get(name, name) == owner


def inherited(owner: str, case: Case) -> bool:
    """Whether a case has the constants of a generation or network: its own, or built upon."""
    name = case.software.name
    while name in THOUGHT["built_on"]:
        name = THOUGHT["built_on"][name]
        if name == owner:
            return True
    return owned(owner, case)


def with_values(case: Case, owner: str, values: Mapping[str, float]) -> Case:
    """Return the case with other constants of its generation or network."""
    if not inherited(owner, case):
        return case
    if owner.startswith(NETWORK):
        network = dataclasses.replace(case.cluster.network, **values)
        return dataclasses.replace(case, cluster=dataclasses.replace(case.cluster, network=network))
    return dataclasses.replace(case, software=dataclasses.replace(case.software, **values))


def with_memory(case: Case, values: Mapping[str, float]) -> Case:
    """Return the case with other constants of memory: those that its generation has."""
    own = {name: value for name, value in values.items() if getattr(case.software, name)}
    return dataclasses.replace(case, software=dataclasses.replace(case.software, **own))
