"""Who ran out of memory, and who was predicted to: the lines of docs/accuracy.md.

Run as ``python benchmarks/accuracy_outcomes.py``, on the runs that ship; it names the runs that are
predicted wrongly, too.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from plan3d.cli.commands.validate_command import Shipped
from plan3d.planner.uncertainty.calibration import shipped
from plan3d.planner.uncertainty.fit import demand, ran_out
from plan3d.planner.validation import Prediction, Validation, published_runs, validate
from plan3d.planner.validation.scores import balanced_accuracy
from plan3d.planner.validation.sweeps import both_outcomes
from plan3d.planner.validation.unseen import unseen
from plan3d.simulator.numeric import Bools, Floats

CLOSE: Final = 0.03
"""Predicted peak over the memory, off one by no more than which chance decides. [1]"""


def outcomes(predictions: Sequence[Prediction], unseen: Validation) -> list[str]:
    """Return what the page says of sweeps that publish both outcomes."""
    rows = [p for sweep in both_outcomes(predictions) for p in sweep]
    needed, capacity = demand(rows)
    happened, over = ran_out(rows), needed > capacity
    wrong = over != happened
    close = wrong & (np.abs(needed / capacity - 1) <= CLOSE)
    likely = shipped().out_of_memory(needed, capacity) > 0.5
    missed, false = (wrong & happened).sum(), (wrong & ~happened).sum()
    inside = {p.run.id for p in rows}
    others = [p for p in predictions if p.run.oom and p.run.id not in inside]
    told = sum(not p.estimate.fits for p in others)
    return [
        f"Out of memory or not: balanced accuracy {percent(balanced_accuracy(over, happened))} on "
        f"{len(rows)} runs of sweeps that publish both, "
        f"{percent(unseen.oom_balanced_accuracy)} with constants fitted to the other suites, by "
        "whether the predicted need is within",
        f"the memory; {percent(balanced_accuracy(likely, happened))} by whether the chance of it "
        f"is over 50 %. Of {happened.sum()} runs that ran out of memory {missed} are predicted to "
        f"fit, of the {(~happened).sum()} others {false} not to;",
        f"{close.sum()} of these {wrong.sum()} are predicted within {100 * CLOSE:.0f} % of the "
        f"memory. Runs that are predicted alike, and of which only some ran, allow "
        f"{percent(reachable(needed, happened))} at most. Of {len(others)} runs of no",
        f"such sweep that ran out of memory {told} are predicted to. "
        "(`python benchmarks/accuracy_outcomes.py` names the wrong ones.)",
    ]


def reachable(needed: Floats, happened: Bools) -> float | None:
    """Return the best balanced accuracy of any rule that goes by the predicted peak alone [1]."""
    ran, out = (Counter(needed[which].round().tolist()) for which in (~happened, happened))
    n_ran, n_out = sum(ran.values()), sum(out.values())
    better = [out[peak] / n_out >= ran[peak] / n_ran for peak in needed.round().tolist()]
    return balanced_accuracy(np.array(better, dtype=bool), happened)


def percent(value: float | None) -> str:
    """Return a share as a percentage."""
    return "" if value is None else f"{100 * value:.1f} %"


def main() -> None:
    """Print the lines, and the runs that are predicted wrongly."""
    predictions = validate(published_runs(), Shipped()).predictions
    print("\n".join(outcomes(predictions, unseen(predictions))))
    for sweep in both_outcomes(predictions):
        for p in sweep:
            if p.estimate.fits == bool(p.run.oom):
                share = p.estimate.memory_bytes / p.estimate.capacity_bytes
                ended = "ran out" if p.run.oom else "ran"
                print(f"{p.run.id:20s} {ended:8s} {share:6.3f} {p.layout}")


if __name__ == "__main__":
    main()
