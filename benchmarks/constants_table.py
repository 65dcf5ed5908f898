"""List every constant that plan3d ships: mark, source, what rests on one suite and who else ran it.

Run as ``python benchmarks/constants_table.py > docs/constants.md``, after ``accuracy.py``, whose
recorded scores it repeats.
"""

import json
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from plan3d.cli.commands.validate_command import Shipped
from plan3d.hardware_profiles.build import key_of
from plan3d.hardware_profiles.parts import HERE, part_names, read, shipped
from plan3d.hardware_profiles.tree import MARKS, Row, annotate, rows
from plan3d.planner.validation import Prediction, elsewhere_runs, validate
from plan3d.planner.validation.scores import error_score
from plan3d.planner.validation.surroundings import GENERATIONS
from plan3d.simulator.units import parse

BENCHMARKS: Final = Path(__file__).parent
LATEST: Final = max(last for _, years in GENERATIONS for last in years)
"""Stands for no last year."""
FITTED: Final = re.compile(
    r"benchmarks/fit_\w+\.py on \d+ published runs \(([\w-]+)\).*?: \+- (.*); "
    r"before any measurement (.*) was assumed"
)
"""The source of a constant that is fitted to runs of one suite: suite, error, what was thought."""
FITS: Final = tomllib.loads((BENCHMARKS / "software_fits.toml").read_text(encoding="utf-8"))
"""Which generations share constants."""

KINDS = {
    "gpus": "GPUs",
    "fabrics": "Inside a node",
    "networks": "Between nodes",
    "software": "Software generations",
}
SHIPPED_MARKS = [mark for mark in MARKS if mark != "given"]
HEAD = """\
# Constants

Every number that a prediction rests on and that is not a law of arithmetic: one file per part in
`hardware_profiles/`. There is one set per GPU, fabric, network and software generation, and none
per model, run or suite. This page is written by `python benchmarks/constants_table.py >
docs/constants.md`.

| mark | means |
|---|---|
| data sheet | printed by the manufacturer |
| documented | a default or a rule that documentation or source code states |
| measured | measured, or fitted to published measurements |
| assumed | neither: taken over from a relative, or a guess in a range that is given |

The first table of each kind counts all numbers of a part by mark. Below it stands what each
part's own file says: a part with a `base` has every other number from there."""
"""What the page says before the tables."""
ONE_SUITE = """\
## Constants that rest on one suite

Fitted to published runs of one suite alone: of other runs of their kind only other sources tell,
where there are any ([below](#what-other-sources-say-of-them)).
*Without the suite*: what it is predicted with when it is left out, which is what was thought before
any measurement, shifted by what other generations say where they have something in common
([how](decisions/fitting.md)); beside it the suite's mean error as it ships, and then.

Three things more were found with one suite in view. The latencies of `efa-p5` are what jobs of
`ultra` measured of their collectives, and stay when it is left out; so does that its jobs were in
four states, with which only `--runs recorded` predicts (`planner/validation/surroundings.py`). That
`aleph-alpha-2023` has `loss_apart` is left out with `aa-layouts` like a constant."""
OTHERS = """\
### What other sources say of them

Runs of [other sources](accuracy.md#other-sources) on the same generation or network, predicted with
the constants above, which were not fitted to them: mean error and bias (positive: predicted too
slow) of their step times. A small error says that the constants hold beyond their suite; a large
one may also be of the run's own network, model, or choices that its source leaves open. *None
found*: only the suite speaks for them."""


CHOSEN = """\
## Which generation a run is predicted with

By framework and year, for every published run alike (`planner/validation/surroundings.py`): the
first line whose words the framework's name has (as a regular expression, in lower case; for PyTorch
1, the notes, too), and in it the first year that is not before the run's. What a source says of its
software's state then takes the variants of a generation (`-eager`, `-async-tp`, `-bf16`, nanotron's
states): [software generations](decisions/software-generations.md). A plan has the generation of its
`--framework`."""


def text() -> str:
    """Return the page."""
    parts = (line for kind in KINDS for line in section(kind))
    return "\n".join((HEAD, "", *one_suite(), "", *chosen(), *parts, ""))


def chosen() -> Iterator[str]:
    """Yield which generation is chosen from framework and year."""
    yield from (CHOSEN, "")
    body = (
        (
            f"`{words.replace('|', '`, `')}`" if words else "anything else",
            ", ".join(f"{name} {_until(last)}".strip() for last, name in years.items()),
        )
        for words, years in GENERATIONS
    )
    yield from table(("framework's words", "generation"), body)


def _until(last: int) -> str:
    return "" if last == LATEST else f"(to {last})"


def one_suite() -> Iterator[str]:
    """Yield the constants that rest on one suite, and what is known without it."""
    scores = stored("scores.json")
    yield from (ONE_SUITE, "")
    body = []
    resting = set()
    for kind in ("networks", "software"):
        for name in part_names(kind):
            for row in rows(annotate(read(HERE / kind / f"{name}.toml"), "assumed", "")):
                if found := FITTED.search(row.source):
                    suite, error, thought = found.groups()
                    least = float(error.split()[0]) / 100
                    stands_in = without(kind, name, row, suite, least) or thought
                    names = (suite, f"{name}: {row.path}", f"{row.value} +- {error}")
                    body.append((*names, stands_in, *errors_of(suite, scores)))
                    resting.add((suite, name))
    head = ("suite", "constant", "value", "without the suite", "its step time, -> unseen",
            "its memory, -> unseen")  # fmt: skip
    yield from table(head, iter(sorted(body)))
    yield from ("", OTHERS, "")
    head = ("suite", "part", "other source", "runs", "mean error", "bias")
    yield from table(head, (row for part in sorted(resting) for row in other_sources(*part)))


def other_sources(suite: str, part: str) -> Iterator[tuple[str, ...]]:
    """Yield what each other source says of a part whose constants rest on a suite."""
    none_found = {"none found": ("", "", "")}
    for name, score in (said_elsewhere().get(part) or none_found).items():
        yield suite, part, name, *score


@cache
def said_elsewhere() -> dict[str, dict[str, tuple[str, str, str]]]:
    """Return by part, and by other source that ran it: runs, mean error and bias of its steps.

    A network is what a run has whose source names it, on more than one node.
    """
    ran: dict[str, dict[str, list[Prediction]]] = defaultdict(lambda: defaultdict(list))
    for p in validate(elsewhere_runs(), Shipped()).predictions:
        network = p.cluster.split()[-1] if p.run.gpus > p.gpus_per_node else ""
        for part in (network, *shared(p.software)):
            ran[part][p.run.suite].append(p)
    return {part: {name: scored(of[name]) for name in sorted(of)} for part, of in ran.items()}


def shared(software: str | None) -> Iterator[str]:
    """Yield the generations whose fitted constants a software generation has."""
    while software:
        yield software
        software = FITS["together"].get(software) or FITS["built_on"].get(software)


def scored(predictions: list[Prediction]) -> tuple[str, str, str]:
    """Return runs, mean error and bias of the steps of a source."""
    timed = [(p.predicted_s, p.measured_s) for p in predictions if p.measured_s is not None]
    score = error_score(*np.array(timed).T)
    return str(score.n), f"{100 * score.mape:.1f} %", f"{100 * score.bias:+.1f} %"


def without(kind: str, name: str, row: Row, suite: str, least: float) -> str:
    """Return the value that a suite is predicted with unseen; nothing if none of its runs has it.

    In the unit of the shipped one; what is less than `least` is none.
    """
    owner = f"network.{name}" if kind == "networks" else name
    times = stored("unseen_fits.json").get(suite, {}).get(owner, {})
    memory = stored("unseen_memory.json")["constants"].get(suite, {})
    for field, value in (times | memory).items():
        key, dimension = key_of(field)
        if key == row.path:
            unit = str(row.value).partition(" ")[2]
            scale = parse(f"1 {unit}", dimension) if dimension and unit else 1.0
            number = value / scale if value / scale > least else 0.0
            return f"{float(f'{number:.3g}'):g} {unit}".strip()
    return ""


def errors_of(suite: str, scores: Mapping[str, Any]) -> Iterator[str]:
    """Yield the error of a suite as it ships and unseen: of times, and of memory or outcomes."""
    yield f"{scores['time'][suite]:.1f} % -> {scores['unseen'][suite]:.1f} %"
    if suite in scores["memory"]:
        yield f"{scores['memory'][suite]:.1f} % -> {scores['unseen_memory'][suite]:.1f} %"
    elif suite in {sweep["suite"] for sweep in stored("unseen_memory.json")["sweeps"]}:
        yield f"right outcomes {scores['oom']:.1f} % -> {scores['unseen_oom']:.1f} %"
    else:
        yield ""


@cache
def stored(name: str) -> dict[str, Any]:
    """Return what a file of the benchmarks has."""
    found: dict[str, Any] = json.loads((BENCHMARKS / name).read_text(encoding="utf-8"))
    return found


def section(kind: str) -> Iterator[str]:
    """Yield the lines on one kind of part."""
    yield from ("", f"## {KINDS[kind]}", "")
    yield from table(("name", *SHIPPED_MARKS), (marks(kind, name) for name in part_names(kind)))
    for name in part_names(kind):
        own = rows(annotate(read(HERE / kind / f"{name}.toml"), "assumed", "no source given"))
        yield from ("", f"### {name}", "")
        yield from table(Row._fields, own)


def marks(kind: str, name: str) -> tuple[str, ...]:
    """Return one row: how many numbers of a part there are of each mark."""
    count = Counter(row.mark for row in rows(shipped(kind, name)))
    return (name, *(str(count[mark] or "") for mark in SHIPPED_MARKS))


def table(head: tuple[str, ...], body: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield from (line(head), line(("---",) * len(head)))
    yield from map(line, body)


def line(cells: tuple[str, ...]) -> str:
    """Return one line of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


if __name__ == "__main__":
    sys.stdout.write(text())
