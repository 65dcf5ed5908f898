"""A full report as the text of a file: a page, Markdown, or JSON."""

from collections.abc import Callable, Mapping
from typing import Final

from plan3d.cli import as_json
from plan3d.cli.html.page import page
from plan3d.cli.markdown import markdown
from plan3d.cli.sections import sections
from plan3d.cli.study import Study
from plan3d.cli.study_object import as_object


def _markdown(study: Study) -> str:
    return markdown(study.report, sections(study), study.case.command)


def _json(study: Study) -> str:
    return as_json.dumps(as_object(study)) + "\n"


KINDS: Final[Mapping[str, Callable[[Study], str]]] = {
    ".html": page,
    ".md": _markdown,
    ".json": _json,
}
"""By the end of the file's name: those of `plan3d.cli.deliver.REPORTS`."""


def text(study: Study, kind: str) -> str:
    """Return the text of a report of a kind."""
    return KINDS[kind](study)
