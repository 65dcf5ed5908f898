"""List every constant that plan3d ships, with its mark and source.

Run as ``python benchmarks/constants_table.py > docs/constants.md``.
"""

import sys
from collections import Counter
from collections.abc import Iterator

from plan3d.hardware_profiles.parts import HERE, part_names, read, shipped
from plan3d.hardware_profiles.tree import MARKS, Row, annotate, rows

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


def text() -> str:
    """Return the page."""
    return "\n".join((HEAD, *(line for kind in KINDS for line in section(kind)), ""))


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
