"""Predicted steps beside measured ones, and how far apart they are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from plan3d.hardware_profiles.generations import software
from plan3d.hardware_profiles.whole_step.grid import SOFTWARE, Case
from plan3d.hardware_profiles.whole_step.measured import Measured
from plan3d.simulator.context import Context
from plan3d.simulator.estimate import block_costs, estimate
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.workload import PRECISIONS, Workload

QUANTITIES: Final = ("step_s", "forward_s", "backward_s", "peak_bytes", "reserved_bytes")
"""What is compared: fields of `Measured` and of `Predicted`."""
JUDGED: Final = ("step_s", "peak_bytes")
"""Those whose median error must be within the tolerance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What the simulator says of one step."""

    step_s: float
    forward_s: float
    backward_s: float
    """With what is recomputed in it. [s]"""
    update_s: float
    peak_bytes: float
    """What tensors take: model states, activations, logits, working set. [bytes]"""
    reserved_bytes: float
    """With the margin for fragmentation. [bytes]"""
    total_bytes: float
    """With the context of the device, too. [bytes]"""
    capacity_bytes: float

    @property
    def fits(self) -> bool:
        """Whether the step is predicted to fit in the GPU's memory."""
        return self.total_bytes <= self.capacity_bytes


def predict(case: Case, cluster: Cluster) -> Predicted:
    r"""Return the prediction of one step on one GPU of a cluster.

    The forward pass is that of *l* blocks and the two ends; what remains of the step beside the
    update and the fixed cost is the backward pass:

    .. math:: t_f = l\,t_{block} + t_{first} + t_{last}, \quad t_b = t - t_f - t_{update} - t_0

    Parameters
    ----------
    case
        The step.
    cluster
        The GPU; its networks have no part in it.
    """
    half = "bf16" if cluster.gpu.peaks.bf16 > 0 else "fp16"  # as `training.half_type`
    work = Workload(seq=case.seq, global_batch=case.micro_batch, precision=PRECISIONS[half])
    generation = software(SOFTWARE[case.style])
    found = estimate(case.model, work, cluster, generation, case.layout)
    context = Context(model=case.model, work=work, cluster=cluster, software=generation)
    costs, _, _ = block_costs(context, LayoutTable.of([case.layout]))
    block_s, first_s, last_s = (
        float(part[0]) for part in (costs.forward_s, costs.first_forward_s, costs.last_forward_s)
    )
    forward_s = case.layers * block_s + first_s + last_s
    time, memory = found.time, found.memory
    reserved = memory.total_bytes - memory.context_bytes
    return Predicted(
        step_s=time.total_s,
        forward_s=forward_s,
        backward_s=time.total_s - forward_s - time.optimizer_s - time.overhead_s,
        update_s=time.optimizer_s,
        peak_bytes=reserved - memory.margin_bytes,
        reserved_bytes=reserved,
        total_bytes=memory.total_bytes,
        capacity_bytes=found.capacity_bytes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One configuration, predicted and measured."""

    case: Case
    predicted: Predicted
    measured: Measured

    def error(self, quantity: str) -> float | None:
        """Return predicted over measured, less one; None where it was not measured [1]."""
        measured = getattr(self.measured, quantity)
        if measured is None:
            return None
        return float(getattr(self.predicted, quantity) / measured - 1)

    def to_row(self) -> dict[str, object]:
        """Return what files say of the pair: sizes, both sides, errors."""
        case = self.case
        return {
            **asdict(case),
            "recompute": case.recompute.name.lower(),
            "software": SOFTWARE[case.style],
            "predicted": {**asdict(self.predicted), "fits": self.predicted.fits},
            "measured": asdict(self.measured),
            "error": {quantity: self.error(quantity) for quantity in QUANTITIES},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """The errors of one quantity over all configurations in which it was measured."""

    n: int
    median: float
    """Of the magnitude. [1]"""
    p90: float
    """What nine in ten magnitudes are below, interpolated. [1]"""
    bias: float
    """Median with its sign: positive is predicted too much. [1]"""

    @classmethod
    def of(cls, errors: Sequence[float]) -> "Errors":
        """Summarise errors, of which there is one at least."""
        size = np.abs(errors)
        return cls(
            n=len(errors),
            median=float(np.median(size)),
            p90=float(np.quantile(size, 0.9)),
            bias=float(np.median(errors)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All configurations, and whether the predictions are within a tolerance."""

    device: str
    """What was measured on."""
    cluster: str
    """The profile that was predicted with."""
    digest: str
    tolerance: float
    pairs: tuple[Pair, ...]

    @property
    def errors(self) -> dict[str, Errors]:
        """The errors by quantity, where it was measured at all."""
        found = {
            quantity: [e for pair in self.pairs if (e := pair.error(quantity)) is not None]
            for quantity in QUANTITIES
        }
        return {quantity: Errors.of(errors) for quantity, errors in found.items() if errors}

    @property
    def ran_out(self) -> tuple[Pair, ...]:
        """The configurations for which the GPU's memory was not enough."""
        return tuple(pair for pair in self.pairs if pair.measured.out_of_memory)

    @property
    def misjudged(self) -> tuple[Pair, ...]:
        """Those for which it was not enough although predicted to fit, by the tolerance."""
        room = 1 + self.tolerance
        return tuple(
            pair
            for pair in self.ran_out
            if pair.predicted.total_bytes * room <= pair.predicted.capacity_bytes
        )

    @property
    def passed(self) -> bool:
        """Whether the median errors of `JUDGED` are within the tolerance, and none misjudged.

        A quantity that was not measured anywhere does not count, but one at least must be.
        """
        judged = [errors.median for quantity, errors in self.errors.items() if quantity in JUDGED]
        within = all(median <= self.tolerance for median in judged)
        return bool(judged) and within and not self.misjudged

    def to_json(self) -> dict[str, object]:
        """Return all of it, for files."""
        return {
            "device": self.device,
            "hardware": self.cluster,
            "hardware_digest": self.digest,
            "tolerance": self.tolerance,
            "passed": self.passed,
            "judged": list(JUDGED),
            "errors": {quantity: asdict(errors) for quantity, errors in self.errors.items()},
            "out_of_memory": {
                "ran_out": len(self.ran_out),
                "predicted_not_to_fit": sum(not pair.predicted.fits for pair in self.ran_out),
                "misjudged": len(self.misjudged),
            },
            "pairs": [pair.to_row() for pair in self.pairs],
        }
