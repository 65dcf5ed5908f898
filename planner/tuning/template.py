"""The user's command with its gaps: which words start one layout."""

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from plan3d.planner.constraints import WORDS
from plan3d.planner.result import Job
from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.layout import FIELDS, Layout

_GAP: Final = re.compile(r"(?<!\$)\{(\w+)\}")
"""A name in braces; ``${HOME}`` is the shell's."""
FLAGS: Final = "flags"
"""The gap that stands for all words of a framework."""
OF_JOB: Final = ("gpus", "nodes", "seq", "global_batch")
"""Gaps that are the same for every layout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A command such as ``./launch.sh {flags}`` or ``./launch.sh --tp {tp} --pp {pp}``."""

    words: tuple[str, ...]
    job: Job
    flags: Callable[[Layout], tuple[str, ...]]
    """What ``{flags}`` stands for: the framework's words for a layout."""

    @classmethod
    def read(cls, command: str, job: Job, flags: Callable[[Layout], tuple[str, ...]]) -> "Template":
        """Return the template of a command line, split as a shell would, but run without one.

        Raises
        ------
        InputError
            If it cannot be split, its program does not exist, a gap has an unknown name, or no gap
            depends on the layout.
        """
        try:
            words = tuple(shlex.split(command))
        except ValueError as error:
            raise InputError(f"--command {command!r}: {error}") from None
        if not words:
            raise InputError("--command is empty; give what starts your training, with {flags}")
        gaps = {gap for word in words for gap in _GAP.findall(word)}
        for gap in sorted(gaps):
            if gap not in (FLAGS, *OF_JOB, *FIELDS):
                raise unknown("gap", gap, (FLAGS, *OF_JOB, *FIELDS))
        if not gaps & {FLAGS, *FIELDS}:
            raise InputError(
                f"--command {command!r} is the same for every layout; put {{flags}} where the "
                "framework's flags go, or single axes such as {tp} and {pp}"
            )
        if shutil.which(words[0]) is None:
            there = "is not executable" if Path(words[0]).exists() else "does not exist"
            raise InputError(
                f"--command: {words[0]} {there}; give a program on the PATH, or its path, such as "
                "./launch.sh"
            )
        return cls(words=words, job=job, flags=flags)

    def filled(self, layout: Layout) -> tuple[str, ...]:
        """Return the words that start a layout."""
        return tuple(word for part in self.words for word in self._word(part, layout))

    def _word(self, part: str, layout: Layout) -> Iterator[str]:
        """Yield what one word becomes: ``{flags}`` alone becomes several."""
        if part == f"{{{FLAGS}}}":
            yield from self.flags(layout)
            return
        yield _GAP.sub(lambda gap: self._value(gap[1], layout), part)

    def _value(self, gap: str, layout: Layout) -> str:
        job = self.job
        if gap == FLAGS:
            return shlex.join(self.flags(layout))
        if gap in OF_JOB:
            nodes = -(-job.gpus // job.cluster.gpus_per_node)
            values = (job.gpus, nodes, job.work.seq, job.work.global_batch)
            return str(dict(zip(OF_JOB, values, strict=True))[gap])
        value = getattr(layout, gap)
        names = {number: word for word, number in WORDS.get(gap, {}).items()}
        return names[value] if names else f"{value:g}"
