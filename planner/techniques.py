"""The known techniques, as changes to a layout that runs.

They are those that lectures and guides list with a speed and a memory effect each:
gradient accumulation, activation checkpointing, mixed precision, batch size, the optimizer,
offloading, ZeRO; fused attention, and the axes of parallelism with their schedules.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from plan3d.planner.choices import divisors
from plan3d.planner.frameworks import OVERLAPS, Framework
from plan3d.planner.moves import Wish
from plan3d.planner.result import Job
from plan3d.simulator.layout import Layout, Recompute, Schedule
from plan3d.simulator.workload import OPTIMIZERS, PRECISIONS

LEANER: Final = ("adam8bit", "adafactor")
"""Optimizers that are tried instead: the same kind of update, smaller states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A technique, and how it would be used here."""

    technique: str
    change: str
    job: Job
    wish: Wish
    converges_alike: bool = True
    """Whether the same update is computed: batch, precision and optimizer change it."""


def trials(job: Job, layout: Layout, runner: Framework) -> Iterator[Trial]:
    """Yield the techniques, as far as there is something to change."""
    alike = partial(Trial, job=job)
    work = job.work
    for kind in (Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL):
        if kind != layout.recompute:
            yield alike(
                technique="activation checkpointing", change=f"recompute={kind.name.lower()}",
                wish={"recompute": float(kind), "recompute_layers": 0.0},
            )  # fmt: skip
    sizes = divisors(max(1, work.global_batch // layout.dp))
    for near in (sizes[sizes < layout.micro_batch][-1:], sizes[sizes > layout.micro_batch][:1]):
        for size in near:
            yield alike(
                technique="gradient accumulation", change=f"micro_batch={size:g}",
                wish={"micro_batch": float(size)},
            )  # fmt: skip
    for stage in range(4):
        if stage != layout.zero:
            yield alike(technique="ZeRO", change=f"zero={stage}", wish={"zero": float(stage)})
    on = 0.0 if layout.offload else 1.0
    wish = {"offload": on} | ({"zero": 1.0} if on and not layout.zero else {})
    yield alike(technique="offload", change=f"offload={on:g}", wish=wish)
    yield alike(
        technique="sequence parallelism", change=f"sp={1 - layout.sp}", wish={"sp": 1.0 - layout.sp}
    )
    for axis in OVERLAPS:
        if axis in runner.overlaps and not getattr(layout, axis):
            yield alike(technique="overlap", change=f"{axis}=1", wish={axis: 1.0})
    for schedule in runner.schedules:
        whole = schedule not in (Schedule.INTERLEAVED, Schedule.LOOPED_BFS)
        if schedule != layout.schedule and layout.pp > 1 and whole == (layout.vpp == 1):
            yield alike(
                technique="pipeline schedule", change=f"schedule={schedule.name.lower()}",
                wish={"schedule": float(schedule)},
            )  # fmt: skip
    yield from _parallelism(job, layout)
    yield from _other_work(job)


def _parallelism(job: Job, layout: Layout) -> Iterator[Trial]:
    """Yield twice and half of each kind of parallelism."""
    kinds = {"tp": "tensor", "pp": "pipeline", "cp": "context", "ep": "expert"}
    for axis, kind in kinds.items():
        if axis == "ep" and job.model.experts is None:
            continue
        value = getattr(layout, axis)
        for new in (value // 2, value * 2):
            if new:
                yield Trial(
                    technique=f"{kind} parallelism", change=f"{axis}={new}", job=job,
                    wish={axis: float(new)},
                )  # fmt: skip
    if job.model.experts is not None and layout.tp > 1:
        own = 1 if layout.etp > 1 else layout.tp
        yield Trial(
            technique="expert tensor parallelism", change=f"etp={own}", job=job,
            wish={"etp": float(own)},
        )  # fmt: skip
    if layout.pp > 1:
        deeper = divisors(max(1, job.model.layers // layout.pp))
        for near in (deeper[deeper < layout.vpp][-1:], deeper[deeper > layout.vpp][:1]):
            for chunks in near:
                yield Trial(
                    technique="interleaving", change=f"vpp={chunks:g}", job=job,
                    wish={"vpp": float(chunks)},
                )  # fmt: skip


def _other_work(job: Job) -> Iterator[Trial]:
    """Yield what changes the update itself: it is faster per token, not necessarily per result."""
    work, peaks = job.work, job.cluster.gpu.peaks
    other = partial(Trial, wish={}, converges_alike=False)
    for batch in (work.global_batch // 2, work.global_batch * 2):
        if batch:
            changed = replace(job, work=replace(work, global_batch=batch))
            yield other(technique="batch size", change=f"--global-batch {batch}", job=changed)
    half = "bf16" if peaks.bf16 > 0 else "fp16"
    mine = half if work.precision.name in ("bf16", "fp16") else work.precision.name
    for name in ("fp32", half, "fp8"):
        if name != mine and getattr(peaks, PRECISIONS[name].matmul) > 0:
            changed = replace(job, work=replace(work, precision=PRECISIONS[name]))
            yield other(technique="mixed precision", change=f"--precision {name}", job=changed)
    for name in LEANER:
        if name != work.optimizer.name:
            changed = replace(job, work=replace(work, optimizer=OPTIMIZERS[name]))
            yield other(technique="optimizer", change=f"--optimizer {name}", job=changed)
    if "unfused" not in job.software.attention[:1]:
        software = replace(job.software, attention=("unfused",))
        yield Trial(
            technique="fused attention", change="without it", wish={},
            job=replace(job, software=software),
        )  # fmt: skip


def not_applicable(job: Job, layout: Layout, runner: Framework) -> Iterator[tuple[str, str]]:
    """Yield the techniques that have no trial at all, and why."""
    if layout.pp == 1:
        yield "interleaving", "there are no pipeline stages: pp is 1"
        yield "pipeline schedule", "there are no pipeline stages: pp is 1"
    if job.model.experts is None:
        yield "expert parallelism", "the model has no experts"
    if job.cluster.gpu.peaks.fp8 <= 0:
        yield "mixed precision", f"{job.cluster.gpu.name} has no fp8"
    missing = [axis for axis in OVERLAPS if axis not in runner.overlaps]
    if missing:
        yield "overlap", f"{runner.name} does not overlap what {', '.join(missing)} say"
    elif all(getattr(layout, axis) for axis in OVERLAPS):
        yield "overlap", "all that the software can overlap is overlapped"
