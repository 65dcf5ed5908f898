"""Hand an answer over: on stdout as a report or JSON, and in the files that were asked for."""

from collections.abc import Callable, Mapping
from pathlib import Path

from plan3d.cli import as_json, files, report
from plan3d.cli.console import say
from plan3d.cli.question import Question
from plan3d.cli.render import show
from plan3d.planner.result import SearchResult


def deliver(
    question: Question,
    result: SearchResult,
    shown: report.Report,
    *,
    json: bool,
    csv: Path | None,
    markdown: Path | None,
    more: Mapping[str, object] | None = None,
) -> None:
    """Write the files, then stdout."""
    if csv is not None:
        plans = [as_json.of_plan(question, plan) for plan in result.plans]
        files.write(csv, as_json.to_csv(plans))
    hand_over(
        shown,
        lambda: {**as_json.of_search(question, result), **(more or {})},
        json=json,
        markdown=markdown,
    )


def hand_over(
    shown: report.Report,
    answer: Callable[[], Mapping[str, object]],
    *,
    json: bool,
    markdown: Path | None = None,
) -> None:
    """Write a report to its file, then it or the object that says the same to stdout."""
    if markdown is not None:
        from plan3d.cli.markdown import markdown as text  # noqa: PLC0415  # jinja2: 40 ms

        files.write(markdown, text(shown))
    if json:
        say(as_json.dumps(answer()))
    else:
        show(shown)
