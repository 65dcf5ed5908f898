"""Write layouts for each framework, read them back, and count how many survive.

python benchmarks/roundtrips.py

Layouts are drawn from all that plan3d's search finds legal for the framework, with a fixed seed.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from plan3d.cli.inputs import job
from plan3d.planner import frameworks
from plan3d.planner.exports import EXPORTERS, Planned, export
from plan3d.planner.imports import READERS, Asked, read
from plan3d.planner.result import Job
from plan3d.planner.space import space
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout

JOBS = (("llama-3-8b", 32), ("llama-3-70b", 256), ("gpt175b", 64), ("qwen3-30b-a3b", 64))
"""Models, and GPUs."""
EACH = 250
"""Layouts of a job for each framework."""


@dataclass(kw_only=True)
class Count:
    """What became of the layouts of one framework."""

    drawn: int = 0
    refused: int = 0
    """The framework has no words for them, and says so."""
    changed: int = 0
    """Read back as the file says, but the file says something else than was asked, and says so."""
    same: int = 0
    """Read back as they were."""
    lost: int = 0
    """Read back otherwise: an error."""


def layouts(name: str, asked: Job) -> Iterator[Layout]:
    """Yield layouts that the framework can run, at random."""
    draw = random.Random(0)
    tables = list(space(asked, frameworks.named(EXPORTERS[name].framework)).chunks())
    for table in draw.choices(tables, [len(table) for table in tables], k=EACH):
        yield table.row(draw.randrange(len(table)))


def count(name: str) -> Count:
    """Return what becomes of the layouts of all jobs."""
    found = Count()
    for model, gpus in JOBS:
        asked = job(model, gpus, precision="bf16")
        layers = asked.model.layers
        for layout in layouts(name, asked):
            found.drawn += 1
            try:
                written = export(name, Planned(job=asked, layout=layout))
            except InputError:
                found.refused += 1
                continue
            again = read(name, written.text, Asked(gpus=gpus, layers=layers))
            work = (again.seq, again.global_batch, again.precision)
            kept = work == (asked.work.seq, asked.work.global_batch, "bf16")
            if not kept or again.layout != written.layout:
                found.lost += 1
            elif _meant(name, layout) == _meant(name, again.layout):
                found.same += 1
            else:
                found.changed += 1
    return found


def _meant(name: str, layout: Layout) -> tuple[object, ...]:
    """Return a layout less what the framework never overlaps, which means nothing there."""
    has = frameworks.named(EXPORTERS[name].framework).overlaps
    return tuple(
        getattr(layout, axis)
        for axis in Layout.__dataclass_fields__
        if axis not in frameworks.OVERLAPS or axis in has
    )


def table() -> str:
    """Return the counts as a table."""
    lines = [
        "| framework | layouts | refused | written otherwise, and said | the same again | lost |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    total = Count()
    for name in READERS:
        found = count(name)
        for part in vars(total):
            setattr(total, part, getattr(total, part) + getattr(found, part))
        lines.append(_line(name, found))
    return "\n".join([*lines, _line("all", total)])


def _line(name: str, found: Count) -> str:
    numbers = (found.drawn, found.refused, found.changed, found.same, found.lost)
    return f"| {name} | " + " | ".join(f"{n:,}" for n in numbers) + " |"


if __name__ == "__main__":
    print(table())
