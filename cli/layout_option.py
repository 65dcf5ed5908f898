"""Read the layout of `--layout tp=8,pp=8,...`."""

from plan3d.planner.constraints import parse_fix
from plan3d.planner.frameworks import ANY, Framework
from plan3d.planner.result import Job
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, Order, Recompute, Schedule

_SHORT = {"mb": "micro_batch", "mbs": "micro_batch"}


def read_layout(text: str, job: Job, framework: Framework = ANY) -> Layout:
    """Return the layout of a job that a text describes.

    What it leaves out follows from the rest: dp from the GPUs, the schedule from vpp, shard from
    zero, sequence parallelism from the software's default, zero from what the framework has, and
    the experts' tensor parallelism from its default.
    """
    given: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        fixed = parse_fix(f"{_SHORT.get(name.strip(), name)}{equals}{value}")
        if fixed.axis in given:
            raise InputError(f"--layout: {fixed.axis} is given twice; give it once")
        given[fixed.axis] = fixed.low
    tp, pp, cp = (int(given.get(name, 1)) for name in ("tp", "pp", "cp"))
    given.setdefault("dp", max(1, job.gpus // (tp * pp * cp)))
    if job.model.experts is not None and framework.etp_is_tp:
        given.setdefault("etp", tp)
    given.setdefault("sp", int(job.software.sp_default and tp > 1))
    if given["dp"] * cp > 1 and 0 not in framework.zero:
        given.setdefault("zero", min(framework.zero))
    if given.get("zero"):
        given.setdefault("shard", given["dp"] * cp)
    if given.get("vpp", 1) > 1:
        given.setdefault("schedule", Schedule.INTERLEAVED)
    kinds = {"recompute": Recompute, "schedule": Schedule, "order": Order, "offload": float}
    return Layout(**{name: kinds.get(name, int)(value) for name, value in given.items()})
