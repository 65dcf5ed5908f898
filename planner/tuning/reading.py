"""From the output of a training run to its step time: a line of JSON, or a framework's log."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from plan3d.planner.result import Job
from plan3d.simulator.errors import InputError

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SCALES: Final = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9}
_NUMBER: Final = r"[0-9][0-9,]*(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?[KMB]?"

UNITS: Final[Mapping[str, Callable[[float, Job], float]]] = {
    "s": lambda value, job: value,  # noqa: ARG005
    "ms": lambda value, job: value / 1000,  # noqa: ARG005
    "tokens_per_s": lambda value, job: job.work.global_batch * job.work.seq / value,
    "tokens_per_s_per_gpu": lambda value, job: (
        job.work.global_batch * job.work.seq / (value * job.gpus)
    ),
}
"""What a number in a log can be, and the step time that follows from it [s]."""

_MEGATRON: Final = rf"elapsed time per iteration \(ms\): *(?P<ms>{_NUMBER})"
PATTERNS: Final[Mapping[str, str]] = {
    # megatron/training/training.py; Megatron-Bridge prints the same
    "megatron": _MEGATRON,
    "deepspeed": _MEGATRON,
    "nemo": rf"train_step_timing in s: *(?P<s>{_NUMBER})",
    # components/metrics.py: tokens of one rank over those that share its batch, per second
    "torchtitan": rf"\btps: *(?P<tokens_per_s_per_gpu>{_NUMBER})",
    # src/nanotron/trainer.py
    "nanotron": rf"\btime_per_iteration_ms: *(?P<ms>{_NUMBER})",
}
"""Lines that frameworks print after each step, by name."""

OUT_OF_MEMORY: Final = re.compile(
    r"out of memory|OutOfMemoryError|oom-kill|RESOURCE_EXHAUSTED|CUBLAS_STATUS_ALLOC_FAILED", re.I
)
"""Words of a run that ran out of memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Finds step times in lines of output."""

    job: Job
    pattern: re.Pattern[str] | None = None
    """One group, named after its unit (`UNITS`); without one only JSON is read."""
    json_lines: bool = True
    """A line ``{"step_time_s": 1.25}`` (or ``step_time_ms``) counts, too."""
    warm_up: int = 2
    """First steps that do not count where more follow. [steps]"""

    def steps_s(self, lines: Iterable[str]) -> tuple[float, ...]:
        """Return the time of every step that was printed [s]."""
        found = (self._step_s(_COLOURS.sub("", line)) for line in lines)
        return tuple(s for s in found if s is not None and math.isfinite(s) and s > 0)

    def step_time_s(self, steps_s: Sequence[float]) -> float:
        """Return the median after the warm-up; not a number where there is none [s]."""
        counted = steps_s[min(self.warm_up, max(len(steps_s) - 1, 0)) :]
        return median(counted) if counted else math.nan

    def _step_s(self, line: str) -> float | None:
        if self.json_lines and line.lstrip().startswith("{"):
            found = _of_json(line)
            if found is not None:
                return found
        match = self.pattern.search(line) if self.pattern else None
        if match is None or not match.groups():
            return None
        unit = match.lastgroup or "s"
        value = _number(match[match.lastindex or 1])
        return UNITS[unit](value, self.job) if value > 0 else None


def pattern_of(text: str) -> re.Pattern[str]:
    r"""Return the pattern of a regular expression with one group, which holds the number.

    The group's name is its unit: ``step (?P<ms>\d+)``; without a name it is seconds.

    Raises
    ------
    InputError
        If it is no regular expression, or has no group, several, or one of an unknown unit.

    Examples
    --------
    >>> pattern_of(r"took (?P<ms>[\d.]+) ms").groupindex["ms"]
    1
    """
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise InputError(f"--pattern {text!r} is no regular expression: {error}") from None
    names = tuple(pattern.groupindex)
    if pattern.groups != 1 or not set(names) <= set(UNITS):
        raise InputError(
            f"--pattern {text!r} must have exactly one group, which holds the number: "
            f"(...) for seconds, or named after its unit, (?P<ms>...): {', '.join(UNITS)}"
        )
    return pattern


def _of_json(line: str) -> float | None:
    """Return the step time of a line of JSON, if it is one."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    for key, scale in (("step_time_s", 1.0), ("step_time_ms", 1e-3)):
        value = said.get(key) if isinstance(said, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value * scale
    return None


def _number(text: str) -> float:
    """Return a number as logs write it: 1,234.5 or 1.2K; not a number where it is none."""
    scale = _SCALES.get(text[-1:].upper(), 1.0)
    try:
        return float(text.rstrip("KMBkmb").replace(",", "")) * scale
    except ValueError:
        return math.nan
