"""What the measurements of a tuning run say about the site: a corrected cluster."""

from collections.abc import Sequence

from plan3d.planner.result import Job
from plan3d.planner.tuning.record import Attempt, Status
from plan3d.planner.validation.rows import Case
from plan3d.planner.validation.runs import Run
from plan3d.planner.validation.site import SiteFit, fit_site
from plan3d.planner.validation.surroundings import ClusterName


def corrected(job: Job, attempts: Sequence[Attempt]) -> SiteFit:
    """Fit the site's few scalars to the attempts that ran (`plan3d.planner.validation.site`).

    Raises
    ------
    InputError
        If too few of them ran.
    """
    return fit_site([_case(job, i, a) for i, a in enumerate(attempts) if a.status is Status.OK])


def _case(job: Job, number: int, attempt: Attempt) -> Case:
    """Return an attempt as a measured run: nothing about it is open or assumed."""
    cluster = job.cluster
    run = Run(
        id=f"trial-{number}", suite="tune", year=0, framework=job.software.name,
        layers=job.model.layers, hidden=job.model.hidden, heads=job.model.heads, seq=job.work.seq,
        gpu=cluster.gpu.name, gpus=job.gpus, tp=attempt.layout.tp, pp=attempt.layout.pp,
        global_batch=job.work.global_batch, iter_s=attempt.time_s,
    )  # fmt: skip
    return Case(
        run=run,
        model=job.model,
        work=job.work,
        cluster_name=ClusterName(cluster.gpu.name, cluster.gpus_per_node, cluster.network.name),
        cluster=cluster,
        software=job.software,
        layouts=(attempt.layout,),
        assumed=(),
        measured_s=attempt.time_s,
        measured_bytes=None,
    )
