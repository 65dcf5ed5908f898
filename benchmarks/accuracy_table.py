"""Figures and tables of the accuracy page, as Markdown."""

from collections.abc import Iterable, Iterator


def percent(value: float | None) -> str:
    """Write a fraction."""
    return "unknown" if value is None else f"{100 * value:.1f} %"


def table(
    head: tuple[str, ...], body: Iterable[tuple[str, ...]], *last: tuple[str, ...]
) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    for row in (head, ("---",) * len(head), *body, *last):
        yield f"| {' | '.join(row)} |"
