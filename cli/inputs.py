"""From what the user says to the question that the library answers."""

import shlex
from collections.abc import Set
from dataclasses import replace
from functools import partial
from pathlib import Path

import plan3d
from plan3d import hardware_profiles
from plan3d.cli.console import detail
from plan3d.cli.question import Question
from plan3d.cli.words import hourly, short
from plan3d.planner import frameworks, models
from plan3d.planner.evaluator import Evaluator, Player, evaluator_of
from plan3d.planner.frameworks import Framework
from plan3d.planner.models import Preset
from plan3d.planner.refine import replayed
from plan3d.planner.result import Job
from plan3d.planner.uncertainty import Forecast, outlooks
from plan3d.simulator.economics import KWH_J
from plan3d.simulator.errors import unknown
from plan3d.simulator.footprint import Site
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.reliability import Reliability
from plan3d.simulator.textbook_estimate import textbook_table
from plan3d.simulator.units import parse
from plan3d.simulator.workload import Workload, optimizer_named, precision_named

FIDELITIES = ("analytical", "textbook")
UNSAID = (None, frameworks.DEFAULT, "analytical")
"""Values of options that say nothing."""


def question(
    *,
    model: str,
    gpus: int,
    hardware: str | None = None,
    seq: int | None = None,
    global_batch: int | None = None,
    precision: str | None = None,
    optimizer: str | None = None,
    framework: str = frameworks.DEFAULT,
    tokens: float | None = None,
    price: float | None = None,
    fidelity: str = "analytical",
) -> Question:
    """Look everything up by name; what is not given is the model's published default."""
    given = {name: value for name, value in locals().items() if value not in UNSAID}
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
    profile = hardware or preset.hardware
    cluster = priced(cluster_named(profile), price)
    detail(f"model {preset.name}: {preset.source}")
    detail(f"cluster {cluster.name}, digest {cluster.digest}: {hardware or 'the usual one'}")
    detail(f"software {software.name}: of framework {framework}")
    return Question(
        job=Job(model=preset.model, work=work, cluster=cluster, software=software, gpus=gpus),
        tokens=tokens or preset.tokens,
        fidelity=fidelity,
        framework=framework,
        hardware=profile,
        version=plan3d.__version__,
        options=" ".join(
            f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in given.items()
        ),
        assumed=_assumed(preset, set(given), cluster, frameworks.named(framework)),
    )


def job(
    model: str,
    gpus: int,
    *,
    hardware: str | None = None,
    seq: int | None = None,
    global_batch: int | None = None,
    precision: str | None = None,
    optimizer: str | None = None,
    framework: str = frameworks.DEFAULT,
) -> Job:
    """Return a job by names, as the options of ``plan3d search`` give them.

    Examples
    --------
    >>> job("gpt175b", 1024).work.global_batch
    1536
    """
    return question(
        model=model,
        gpus=gpus,
        hardware=hardware,
        seq=seq,
        global_batch=global_batch,
        precision=precision,
        optimizer=optimizer,
        framework=framework,
    ).job


def cluster_named(text: str) -> Cluster:
    """Return a cluster by the name of a profile or the path of a TOML file."""
    if text.endswith(".toml") or "/" in text:
        return hardware_profiles.load_path(Path(text))
    return hardware_profiles.load(text)


def priced(cluster: Cluster, usd_per_hour: float | None) -> Cluster:
    """Return the cluster at another rent per GPU."""
    if usd_per_hour is None:
        return cluster
    rent = parse(f"{usd_per_hour} USD/h", "USD/s")
    sources = {**cluster.sources, "gpu.price": "given"}
    return replace(cluster, gpu=replace(cluster.gpu, usd_per_s=rent), sources=sources)


def reliability(**given: float | None) -> Reliability:
    """Return how reliable machines are: what is given, and the defaults."""
    return Reliability(**{name: value for name, value in given.items() if value is not None})


def site(
    *,
    host_share: float | None,
    pue: float | None,
    co2_g_per_kwh: float | None,
    usd_per_kwh: float | None,
) -> Site:
    """Return where machines stand: what is given, and the defaults."""
    given = {
        "host_share": host_share,
        "pue": pue,
        "co2_kg_per_j": None if co2_g_per_kwh is None else co2_g_per_kwh / 1000 / KWH_J,
        "usd_per_j": None if usd_per_kwh is None else usd_per_kwh / KWH_J,
    }
    return Site(**{name: value for name, value in given.items() if value is not None})


def evaluator(question: Question) -> Evaluator:
    """Return the cost model of the fidelity that is asked for, for this job."""
    job = question.job
    if question.fidelity == "textbook":
        return partial(textbook_table, job.model, job.work, job.cluster)
    return evaluator_of(job)


def player(question: Question) -> Player | None:
    """Return what plays pipelines out: nothing does for the textbook's closed forms."""
    return partial(replayed, question.job) if question.fidelity == "analytical" else None


def forecast(question: Question) -> Forecast | None:
    """Return what says how sure estimates are: nobody has compared the textbook's with runs."""
    return partial(outlooks, question.job) if question.fidelity == "analytical" else None


def _assumed(
    preset: Preset, given: Set[str], cluster: Cluster, framework: Framework
) -> tuple[str, ...]:
    """Return a line for each group of values that the user left to plan3d."""
    defaults = {
        "seq": f"sequence {preset.seq:,}",
        "global_batch": f"global batch {preset.global_batch:,}",
        "precision": preset.precision,
        "optimizer": preset.optimizer,
        "tokens": f"{short(preset.tokens)} tokens" if preset.tokens else "",
    }
    left = [text for name, text in defaults.items() if name not in given and text]
    others = {
        "hardware": f"hardware {cluster.name}: default of {preset.name}",
        "framework": f"software {framework.software}: default of --framework {frameworks.DEFAULT}",
        "price": f"rent {hourly(cluster.gpu.usd_per_s)} USD per GPU hour: {cluster.name}",
    }
    lines = [f"{', '.join(left)}: defaults of {preset.name} ({preset.source})"] if left else []
    lines += [text for text in (preset.note, framework.caveat) if text]
    return tuple(lines + [text for name, text in others.items() if name not in given])
