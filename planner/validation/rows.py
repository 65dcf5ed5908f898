"""From runs to cases: what the cost model is asked about each run."""

from dataclasses import dataclass, replace

from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.layouts import global_batch_of, layouts_of
from plan3d.planner.validation.measured import SIMULATED, memory_bytes, step_time_s
from plan3d.planner.validation.models import model_of
from plan3d.planner.validation.runs import Run
from plan3d.planner.validation.surroundings import (
    ClusterName,
    Profiles,
    cluster_of,
    dropout_of,
    precision_of,
    software_of,
)
from plan3d.simulator.errors import InputError
from plan3d.simulator.hardware import Cluster, Network, NodeFabric
from plan3d.simulator.layout import Layout
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.software import Software
from plan3d.simulator.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A run, in the cost model's terms."""

    run: Run
    model: ModelSpec
    work: Workload
    cluster_name: ClusterName
    cluster: Cluster
    software: Software
    layouts: tuple[Layout, ...]
    """One, unless the source leaves a choice open."""
    assumed: tuple[str, ...]
    """What the source does not say, a few words each."""
    measured_s: float | None
    measured_bytes: float | None

    @property
    def question(
        self,
    ) -> tuple[ModelSpec, Workload, ClusterName, NodeFabric, Network, Software]:
        """Cases with the same question can share one table of layouts."""
        model, cluster = replace(self.model, name=""), self.cluster
        return (
            model, self.work, self.cluster_name, cluster.node, cluster.network, self.software
        )  # fmt: skip


def case_of(run: Run, profiles: Profiles) -> Case:
    """Return the case of a run.

    Raises
    ------
    SkipError
        If it cannot be expressed, with the reason.
    """
    if run.flag:
        raise SkipError("flagged by its source")
    if SIMULATED in run.ref:
        raise SkipError("simulated, not measured")
    model, of_model = model_of(run)
    if run.seq is None:
        raise SkipError("no sequence length stated")
    (cluster_name, cluster), of_cluster = cluster_of(run, profiles)
    software = software_of(run, profiles)
    try:
        global_batch, of_batch = global_batch_of(run)
        layouts, of_layout = layouts_of(run, software, global_batch)
    except InputError as error:
        raise SkipError("impossible layout", str(error)) from None
    precision, of_precision = precision_of(run)
    peaks = cluster.gpu.peaks
    sized = replace(run, global_batch=run.global_batch or global_batch)
    measured_s = step_time_s(sized, model, max(peaks.fp16, peaks.bf16))
    measured_bytes = memory_bytes(run)
    if measured_s is None and measured_bytes is None and not run.oom:
        raise SkipError("nothing measured, or by an unstated FLOP convention")
    return Case(
        run=run,
        model=model,
        work=Workload(
            seq=run.seq,
            global_batch=global_batch,
            precision=precision,
            dropout=dropout_of(run, software),
        ),
        cluster_name=cluster_name,
        cluster=cluster,
        software=software,
        layouts=layouts,
        assumed=(*of_model, *of_cluster, *of_batch, *of_layout, *of_precision),
        measured_s=measured_s,
        measured_bytes=measured_bytes,
    )
