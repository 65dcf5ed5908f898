"""What `plan3d tune` does once its options are read."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from plan3d.cli import files
from plan3d.cli.console import note, say
from plan3d.cli.deliver import hand_over
from plan3d.cli.progress import doing
from plan3d.cli.question import Question
from plan3d.cli.reports import tune_report
from plan3d.cli.words import brief, seconds
from plan3d.hardware_profiles.fit import overlay_toml
from plan3d.planner import frameworks
from plan3d.planner.constraints import Constraint
from plan3d.planner.exhaustive import search
from plan3d.planner.searchers.grid import Grid, grid_of
from plan3d.planner.tuning import (
    Attempt,
    Launcher,
    Reader,
    Record,
    Status,
    Template,
    Tuned,
    opened,
    tune,
)
from plan3d.planner.tuning.correct import corrected
from plan3d.planner.validation.site import SiteFit
from plan3d.simulator.errors import InputError, NothingFeasibleError
from plan3d.simulator.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What is asked of a tuning run."""

    question: Question
    constraints: tuple[Constraint, ...]
    template: Template
    reader: Reader
    timeout_s: float
    trials: int
    first: int
    seed: int
    name: Path

    @property
    def record_path(self) -> Path:
        """Where every attempt is written down."""
        return self.name.with_name(f"{self.name.name}.jsonl")

    @property
    def profile_path(self) -> Path:
        """Where the corrected profile goes."""
        return self.name.with_name(f"{self.name.name}.toml")

    @property
    def logs(self) -> Path:
        """Where the output of the command goes."""
        return self.name.with_name(f"{self.name.name}.logs")


def run_tuning(tuning: Tuning, *, dry_run: bool, json: bool) -> None:
    """Tune, report, and write the corrected profile."""
    job = tuning.question.job
    with doing("predicting layouts"):
        grid = grid_of(job, frameworks.named(tuning.question.framework), tuning.constraints)
        first = _first(tuning, grid)
    if dry_run:
        for layout in first:
            say(shlex.join(tuning.template.filled(layout)))
        return
    with opened(tuning.record_path, job, tuning.question.framework) as record:
        _say_begun(record)
        found = _tuned(tuning, grid, record, first)
    fit, profile = (None, "") if found.best is None else _corrected(tuning, found)
    hand_over(
        tune_report.report(tuning.question, found, fit, profile),
        lambda: tune_report.as_object(tuning.question, found, fit, profile),
        json=json,
    )
    if found.best is None:
        raise NothingFeasibleError("no layout ran: all were too large, or failed")


def _first(tuning: Tuning, grid: Grid) -> tuple[Layout, ...]:
    """Return the layouts to try first: what a search shows, or what misses by least."""
    result = search(
        tuning.question.job, framework=tuning.question.framework, top=tuning.first,
        constraints=tuning.constraints,
    )  # fmt: skip
    plans = result.plans or ((result.nearest,) if result.nearest else ())
    layouts = [plan.layout for plan in plans if grid.find(plan.layout) is not None]
    return tuple(layouts[: tuning.trials])


def _say_begun(record: Record) -> None:
    if record.attempts:
        note(f"going on from {record.path}: {len(record.attempts)} attempts")
    if record.cut_short:
        note(f"the last line of {record.path} was cut short and is left out")


def _tuned(tuning: Tuning, grid: Grid, record: Record, first: tuple[Layout, ...]) -> Tuned:
    """Tune, saying what became of each attempt."""
    launcher = Launcher(folder=tuning.logs, timeout_s=tuning.timeout_s)
    with doing("tuning") as told:

        def heard(attempt: Attempt) -> None:
            ran = attempt.status is Status.OK
            text = seconds(attempt.time_s) if ran else attempt.message
            note(f"{len(record.attempts)}: {brief(attempt.layout)}: {text}")
            told(len(record.attempts), tuning.trials)

        return tune(
            grid, tuning.template, launcher, tuning.reader, record,
            first=first, trials=tuning.trials, seed=tuning.seed, told=heard,
        )  # fmt: skip


def _corrected(tuning: Tuning, found: Tuned) -> tuple[SiteFit | None, str]:
    """Return the site's scalars, and the profile that was written; or why there is none."""
    job = tuning.question.job
    try:
        with doing("correcting the profile"):
            fit = corrected(job, found.attempts)
    except InputError as error:
        return None, f"no corrected profile: {error}"
    if not fit.scalars:
        return fit, "no corrected profile: the measurements do not speak against the one used"
    origin = f"plan3d tune: {fit.runs} runs of this site, {', '.join(fit.scalars)}"
    path = tuning.profile_path
    base = tuning.question.hardware
    if base.endswith(".toml") or "/" in base:
        base = os.path.relpath(base, path.parent)
        base = base if base.endswith(".toml") else f"{base}.toml"
    files.write(path, overlay_toml(base, job.cluster, fit.cluster, origin))
    return fit, f"corrected profile: --hardware {path}"
