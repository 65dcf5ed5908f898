"""What is exported, and what comes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plan3d.planner.result import Job
from plan3d.simulator.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A layout of a job, with what is known of it."""

    job: Job
    layout: Layout
    stages: tuple[int, ...] = ()
    """Layers of each pipeline stage, where they were planned. [1]"""
    about: tuple[str, ...] = ()
    """What a reader of the file should know: predictions, assumptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Something of a plan that a framework has no words for."""

    says: str
    applies: Callable[[Planned], bool]
    refused: bool = False
    """Without it the job would be another one: nothing is written."""
    then: Callable[[Planned], Layout] = lambda plan: plan.layout
    """The layout that is written instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """How plans are written for one framework."""

    framework: str
    """Name in `plan3d.planner.frameworks`: what it can run."""
    form: str
    """What is written."""
    suffix: str
    checked: str
    """Version whose names these are."""
    limits: tuple[Limit, ...]
    write: Callable[[Planned, Sequence[str]], str]
    """A plan and the lines of the comment -> the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file for a framework."""

    text: str
    cannot: tuple[str, ...]
    """What of the plan the framework has no words for."""
    layout: Layout
    """What the file says: the plan's, less that."""


def comment(lines: Sequence[str], mark: str = "# ") -> str:
    """Return lines as comments: whatever they hold, each stays one line."""
    return "".join(f"{mark}{one_line(line)}".rstrip() + "\n" for line in lines)


def one_line(text: str) -> str:
    """Return a text without what could end a comment or hide in it."""
    return "".join(char if char.isprintable() else "?" for char in text)
