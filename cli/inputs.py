"""From what the user says to the question that the library answers."""

import shlex
from dataclasses import replace
from pathlib import Path

import plan3d
from plan3d import hardware_profiles
from plan3d.cli.question import Question
from plan3d.planner import frameworks, models
from plan3d.planner.result import Job
from plan3d.simulator.errors import unknown
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.units import parse
from plan3d.simulator.workload import Workload, optimizer_named, precision_named

FIDELITIES = ("analytical", "textbook")


def question(
    *,
    model: str,
    gpus: int,
    hardware: str | None = None,
    seq: int | None = None,
    global_batch: int | None = None,
    precision: str | None = None,
    optimizer: str | None = None,
    framework: str = "any",
    tokens: float | None = None,
    price: float | None = None,
    fidelity: str = "analytical",
) -> Question:
    """Look everything up by name; what is not given is the model's published default."""
    given = {k: v for k, v in locals().items() if v not in (None, "any", "analytical")}
    if fidelity not in FIDELITIES:
        raise unknown("fidelity", fidelity, FIDELITIES)
    preset = models.resolve(model)
    software = hardware_profiles.software(frameworks.named(framework).software)
    work = Workload(
        seq=seq or preset.seq,
        global_batch=global_batch or preset.global_batch,
        precision=precision_named(precision or preset.precision),
        optimizer=optimizer_named(optimizer or preset.optimizer),
    )
    cluster = _cluster(hardware or preset.hardware, price)
    return Question(
        job=Job(model=preset.model, work=work, cluster=cluster, software=software, gpus=gpus),
        tokens=tokens or preset.tokens,
        fidelity=fidelity,
        version=plan3d.__version__,
        options=" ".join(
            f"--{name.replace('_', '-')} {shlex.quote(f'{value}')}" for name, value in given.items()
        ),
        assumed=tuple(assumed),
    )
