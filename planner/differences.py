"""Why two estimates differ: term by term, the largest difference first, each with its cause."""

from dataclasses import dataclass

from plan3d.planner.causes import Subject, cause
from plan3d.planner.reasons import Breakdown
from plan3d.simulator.result import EstimateTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One term in both."""

    term: str
    """Field of `StepTime` [s] or of `Memory` [bytes]."""
    one: float
    other: float
    cause: str
    """The quantities behind it in the one and in the other; empty where nothing changes."""

    @property
    def change(self) -> float:
        """What the other has more, in the unit of the term."""
        return self.other - self.one


def differences(one: Subject, other: Subject, breakdown: Breakdown) -> tuple[Difference, ...]:
    """Return what differs, the largest first: the changes add up to that of the total.

    Terms that are 0 in both are left out.

    Parameters
    ----------
    one, other
        Two estimates, with what they are of.
    breakdown
        Of the time of a step, or of the peak memory.
    """
    names = EstimateTable.TIME if breakdown == "time" else EstimateTable.MEMORY
    found = []
    for name in names:
        a, b = (
            float(getattr(x.estimate.time if breakdown == "time" else x.estimate.memory, name))
            for x in (one, other)
        )
        if a or b:
            why = cause(name, one, other) if a != b else ""
            found.append(Difference(term=name, one=a, other=b, cause=why))
    return tuple(sorted(found, key=lambda term: -abs(term.change)))
