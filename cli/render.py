"""Show a report: drawn by rich on a terminal, aligned text when piped, Markdown in a file."""

import os

from plan3d.cli.console import draws, say
from plan3d.cli.report import Report, Table

NARROWEST = 14
"""What a column of words keeps on a narrow terminal. [characters]"""


def show(report: Report) -> None:
    """Print a report."""
    say("\n".join(report.answer))
    for table in report.tables:
        say("")
        show_table(table)
    if report.again:
        say(f"\nAgain: {report.again}")
    if report.grounds:
        say("\n" + "\n".join(f"- {line}" for line in report.grounds))


def show_table(table: Table) -> None:
    """Print one table."""
    if draws():
        _draw(table)
    else:
        say(aligned(table))


def aligned(table: Table) -> str:
    """Write a table as columns of plain text."""
    lines = [table.head, *table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.head))]
    text = [
        "  ".join(
            cell.ljust(width) if i in table.words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([table.title, *text])


def _draw(table: Table) -> None:
    from rich.console import Console  # noqa: PLC0415  # 0.1 s that a pipe need not pay
    from rich.table import Table as Drawn  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = Drawn(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="underline")
    for i, name in enumerate(table.head):
        left = i in table.words
        longest = max(len(row[i]) for row in table.rows)
        drawn.add_column(
            Text(name),
            justify="left" if left else "right",
            no_wrap=not left,
            min_width=min(longest, NARROWEST) if left else None,
        )
    for row in table.rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console = Console(color_system=None if os.environ.get("NO_COLOR") else "auto")
    console.print(Text(table.title, style="bold"))
    console.print(drawn)
