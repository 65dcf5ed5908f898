"""What `plan3d tune` does once its options are read."""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plan3d.cli import as_json, files, tune_report
from plan3d.cli.console import say
from plan3d.cli.progress import bar
from plan3d.cli.question import Question
from plan3d.cli.render import show
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
    framework: str
    hardware: str | None
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
    grid = grid_of(job, frameworks.named(tuning.framework), tuning.constraints)
    first = _first(tuning, grid)
    if dry_run:
        for layout in first:
            say(shlex.join(tuning.template.filled(layout)))
        return
    with opened(tuning.record_path, job, tuning.framework) as record:
        _say_begun(record)
        found = _tuned(tuning, grid, record, first, quiet=json)
    if found.best is None:
        show(tune_report.report(tuning.question, found, None, ""))
        raise NothingFeasibleError("no layout ran: all were too large, or failed")
    fit, profile = _corrected(tuning, found)
    if json:
        say(as_json.dumps(tune_report.as_object(tuning.question, found, fit, profile)))
    else:
        show(tune_report.report(tuning.question, found, fit, profile))


def _first(tuning: Tuning, grid: Grid) -> tuple[Layout, ...]:
    """Return the layouts to try first: what a search shows, or what misses by least."""
    result = search(
        tuning.question.job, framework=tuning.framework, top=tuning.first,
        constraints=tuning.constraints,
    )  # fmt: skip
    plans = result.plans or ((result.nearest,) if result.nearest else ())
    layouts = [plan.layout for plan in plans if grid.find(plan.layout) is not None]
    return tuple(layouts[: tuning.trials])


def _say_begun(record: Record) -> None:
    if record.attempts:
        say(f"plan3d: going on from {record.path}: {len(record.attempts)} attempts", error=True)
    if record.cut_short:
        say(f"plan3d: the last line of {record.path} was cut short and is left out", error=True)


def _tuned(
    tuning: Tuning, grid: Grid, record: Record, first: tuple[Layout, ...], *, quiet: bool
) -> Tuned:
    launcher = Launcher(folder=tuning.logs, timeout_s=tuning.timeout_s)
    with _bar(tuning, record, quiet=quiet) as told:
        return tune(
            grid, tuning.template, launcher, tuning.reader, record,
            first=first, trials=tuning.trials, seed=tuning.seed, told=told,
        )  # fmt: skip


@contextmanager
def _bar(tuning: Tuning, record: Record, *, quiet: bool) -> Iterator[Callable[[Attempt], None]]:
    """Say on stderr what became of each attempt, with a bar on a terminal."""
    with bar(quiet=quiet) as drawn:
        task = drawn.add_task("", total=tuning.trials, completed=len(record.attempts))

        def told(attempt: Attempt) -> None:
            text = seconds(attempt.time_s) if attempt.status is Status.OK else attempt.message
            drawn.advance(task)
            if not quiet:
                say(f"{len(record.attempts):>3}  {brief(attempt.layout)}: {text}", error=True)

        yield told


def _corrected(tuning: Tuning, found: Tuned) -> tuple[SiteFit | None, str]:
    """Return the site's scalars, and the profile that was written; or why there is none."""
    job = tuning.question.job
    try:
        fit = corrected(job, found.attempts)
    except InputError as error:
        return None, f"no corrected profile: {error}"
    if not fit.scalars:
        return fit, "no corrected profile: the measurements do not speak against the one used"
    origin = f"plan3d tune: {fit.runs} runs of this site, {', '.join(fit.scalars)}"
    path = tuning.profile_path
    base = tuning.hardware or job.cluster.name
    if base.endswith(".toml") or "/" in base:
        base = os.path.relpath(base, path.parent)
        base = base if base.endswith(".toml") else f"{base}.toml"
    files.write(path, overlay_toml(base, job.cluster, fit.cluster, origin))
    return fit, f"corrected profile: --hardware {path}"
