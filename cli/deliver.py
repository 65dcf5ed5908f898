"""Hand an answer over: on stdout as a report or JSON, and in the files that were asked for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from plan3d.cli import as_json, files, report
from plan3d.cli.console import say
from plan3d.cli.question import Question
from plan3d.cli.render import show
from plan3d.planner.constraints import Constraint
from plan3d.planner.result import SearchResult
from plan3d.simulator.errors import InputError

REPORTS: Final = (".html", ".md", ".json")
"""How the name of a full report ends: a page, Markdown, or data."""


def check(csv: Path | None, full: Path | None) -> None:
    """Refuse files that cannot be written, before the work starts."""
    if full is not None and full.suffix.lower() not in REPORTS:
        raise InputError(
            f"--report {full}: a report is one of {', '.join(REPORTS)}; end its name so"
        )
    files.new(csv, full)


def deliver(
    question: Question,
    result: SearchResult,
    shown: report.Report,
    *,
    json: bool,
    csv: Path | None,
    more: Mapping[str, object] | None = None,
) -> None:
    """Write the table of plans, then stdout."""
    if csv is not None:
        plans = [as_json.of_plan(question, plan) for plan in result.plans]
        files.write(csv, as_json.to_csv(plans))
    hand_over(shown, lambda: {**as_json.of_search(question, result), **(more or {})}, json=json)


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


def deliver_full(
    path: Path,
    question: Question,
    result: SearchResult,
    shown: report.Report,
    *,
    framework: str,
    command: str,
    constraints: tuple[Constraint, ...] = (),
    searched: bool = True,
    more: Mapping[str, object] | None = None,
) -> None:
    """Write a full report, of the kind that the name of its file says."""
    from plan3d.cli.case import Case  # noqa: PLC0415
    from plan3d.cli.reports.full_report import text  # noqa: PLC0415  # jinja2 and matplotlib: 0.6 s
    from plan3d.cli.study import study  # noqa: PLC0415

    case = Case(
        question=question, result=result, framework=framework, constraints=constraints,
        searched=searched, command=command, beside=more or {},
    )  # fmt: skip
    files.write(path, text(study(case, shown), path.suffix.lower()))
