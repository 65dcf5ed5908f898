"""What `plan3d compare` puts side by side: layouts, plans of files, hardware."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

from plan3d.cli.chosen import chosen
from plan3d.cli.inputs import question
from plan3d.cli.question import Question
from plan3d.planner import frameworks
from plan3d.planner.causes import Subject
from plan3d.planner.frameworks import FRAMEWORKS
from plan3d.planner.result import Plan
from plan3d.simulator.errors import InputError

_REFERENCE = re.compile(r"(?P<file>[^#]+\.json)(#(?P<rank>\d{1,6}))?")

_KEYS = ("plans", "job")
_PLAN = {"rank": int, "layout_option": str, "step_time_s": float}
_WORDS = dict.fromkeys(("model", "hardware", "software", "precision", "optimizer"), str)
_JOB = _WORDS | dict.fromkeys(("gpus", "seq", "global_batch"), int)

MOVED = 1e-3
"""A file's step time that differs by more from today's is said. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One of the things compared."""

    name: str
    """A, B, C, ..."""
    question: Question
    plan: Plan
    note: str = ""
    """What is worth saying about where it is from."""

    @property
    def subject(self) -> Subject:
        """As the library compares it."""
        return Subject(
            name=self.name,
            job=self.question.job,
            layout=self.plan.layout,
            estimate=self.plan.estimate,
        )


def compared(
    texts: Sequence[str], hardware: Sequence[str], asked: Mapping[str, Any]
) -> tuple[Compared, ...]:
    """Return what the arguments name.

    Parameters
    ----------
    texts
        Layouts, or ``plan.json#rank``; none means the best of each hardware.
    hardware
        Clusters: several with at most one layout.
    asked
        The other options of `plan3d.cli.inputs.question`.

    Raises
    ------
    InputError
        If there is less than two, or several of both.
    """
    many = len(texts) > 1 and len(hardware) > 1
    count = max(len(texts), len(hardware))
    if many or not 2 <= count <= 26:
        raise InputError(
            "give two or more layouts or plans (tp=8,pp=8 tp=4,pp=8, or plans.json#1 "
            "plans.json#2), or one layout, or none, and two or more --hardware"
        )
    found = _by_hardware(texts, hardware, asked) if len(hardware) > 1 else (
        _one(text, hardware, asked) for text in texts
    )  # fmt: skip
    return tuple(replace(one, name=name) for name, one in zip(_names(count), found, strict=True))


def _names(count: int) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:count]


def _by_hardware(
    texts: Sequence[str], hardware: Sequence[str], asked: Mapping[str, Any]
) -> Iterator[Compared]:
    for cluster in hardware:
        yield _planned(next(iter(texts), None), {**asked, "hardware": cluster})


def _one(text: str, hardware: Sequence[str], asked: Mapping[str, Any]) -> Compared:
    match = _REFERENCE.fullmatch(text.strip())
    if match is None:
        return _planned(text, {**asked, "hardware": next(iter(hardware), None)})
    return _from_file(Path(match["file"]), int(match["rank"] or 1))


def _planned(layout: str | None, asked: Mapping[str, Any]) -> Compared:
    missing = [name for name in ("model", "gpus") if asked.get(name) is None]
    if missing:
        raise InputError(f"--{' and --'.join(missing)} must be given, but for plans of files")
    whole = question(**asked)
    return Compared(name="", question=whole, plan=chosen(whole, layout, asked["framework"]))


def _from_file(path: Path, rank: int) -> Compared:
    """Return a plan that was printed with ``--json``, estimated again."""
    told, job = _plan_of(path, rank)
    named = (frameworks.DEFAULT, *FRAMEWORKS)
    framework = next((n for n in named if FRAMEWORKS[n].software == job["software"]), "any")
    names = ("model", "gpus", "hardware", "seq", "global_batch", "precision", "optimizer")
    asked = {name: job[name] for name in names} | {"framework": framework}
    try:
        found = _planned(told["layout_option"], asked)
    except InputError as error:
        raise InputError(f"{path}#{rank}: {error}") from error
    before, now = told["step_time_s"], found.plan.estimate.step_time_s
    moved = abs(now / before - 1) > MOVED
    note = f"{path}#{rank} says {before:,.4g} s; computed again it is {now:,.4g} s"
    return replace(found, note=note if moved else "")


def _plan_of(path: Path, rank: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a plan of a file, and its job."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    plans, job = (content.get(key) if isinstance(content, dict) else None for key in _KEYS)
    if not isinstance(plans, list) or not _typed(job, _JOB):
        raise InputError(
            f"{path} holds no plans; give what plan3d search --json or estimate --json printed"
        )
    told = next((plan for plan in plans if _typed(plan, _PLAN) and plan["rank"] == rank), None)
    if told is None or told["step_time_s"] <= 0:
        raise InputError(f"{path} has no plan {rank}; it has {len(plans)}")
    return told, job


def _typed(value: object, types: Mapping[str, type]) -> TypeGuard[dict[str, Any]]:
    """Return whether an object has such fields."""
    return isinstance(value, dict) and all(isinstance(value.get(k), t) for k, t in types.items())
