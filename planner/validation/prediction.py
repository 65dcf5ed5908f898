"""What the cost model says about each run."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from plan3d.planner.validation.measured import as_moved, comparable_bytes
from plan3d.planner.validation.rows import Case
from plan3d.planner.validation.runs import Run
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.result import Estimate, EstimateTable
from plan3d.simulator.software import Software
from plan3d.simulator.workload import Workload


class Evaluate(Protocol):
    """A cost model: `plan3d.simulator.estimate.estimate_table`, or another."""

    def __call__(
        self,
        model: ModelSpec,
        work: Workload,
        cluster: Cluster,
        software: Software,
        table: LayoutTable,
        /,
    ) -> EstimateTable:
        """Estimate one step for every layout of a table."""
        ...  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A run, measured and predicted."""

    run: Run
    layout: Layout
    """As stated; where the source leaves choices open, the fastest that fits."""
    estimate: Estimate
    measured_s: float | None
    measured_bytes: float | None
    predicted_bytes: float
    """The part of the estimated memory that the measured figure counts. [bytes]"""
    software: str
    cluster: str
    gpus_per_node: int
    assumed: tuple[str, ...]

    @property
    def predicted_s(self) -> float:
        """The estimated step [s]."""
        return self.estimate.step_time_s

    def to_row(self) -> dict[str, object]:
        """Return one row of a table of predictions: SI units, the breakdowns included."""
        return {
            "id": self.run.id,
            "suite": self.run.suite,
            "measured_s": self.measured_s,
            "predicted_s": self.predicted_s,
            "error": None if self.measured_s is None else self.predicted_s / self.measured_s - 1,
            "measured_bytes": self.measured_bytes,
            "predicted_bytes": self.predicted_bytes,
            "oom": int(bool(self.run.oom)),
            "fits": int(self.estimate.fits),
            "layout": str(self.layout),
            "cluster": self.cluster,
            "software": self.software,
            "assumed": "; ".join(self.assumed),
            **asdict(self.estimate.time),
            **asdict(self.estimate.memory),
        }


def predict(cases: Iterable[Case], evaluate: Evaluate) -> tuple[Prediction, ...]:
    """Predict cases, in the order given: one table of layouts per question."""
    groups: dict[object, list[Case]] = defaultdict(list)
    order: dict[str, int] = {}
    for case in cases:
        order[case.run.id] = len(order)
        groups[case.question].append(case)
    found = [p for group in groups.values() for p in _predict_group(group, evaluate)]
    return tuple(sorted(found, key=lambda p: order[p.run.id]))


def _predict_group(cases: Sequence[Case], evaluate: Evaluate) -> Iterator[Prediction]:
    """Predict cases that ask the same question."""
    one = cases[0]
    table = LayoutTable.of(layout for case in cases for layout in case.layouts)
    estimates = evaluate(one.model, one.work, one.cluster, one.software, table)
    time_s, fits, memory = estimates.step_time_s, estimates.fits, estimates.memory_bytes
    start = 0
    for case in cases:
        rows = np.arange(start, start + len(case.layouts))
        start += len(case.layouts)
        usable = rows[fits[rows]]
        best = usable[np.argmin(time_s[usable])] if len(usable) else rows[np.argmin(memory[rows])]
        estimate = as_moved(case.run, estimates.row(int(best)))
        yield Prediction(
            run=case.run,
            layout=case.layouts[int(best - rows[0])],
            estimate=estimate,
            measured_s=case.measured_s,
            measured_bytes=case.measured_bytes,
            predicted_bytes=comparable_bytes(case.run, estimate),
            software=case.software.name,
            cluster=" ".join(str(part) for part in case.cluster_name),
            gpus_per_node=case.cluster.gpus_per_node,
            assumed=case.assumed,
        )
