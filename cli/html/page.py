"""One file that needs nothing else: no network, no fonts, no libraries."""

import base64
import hashlib
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from plan3d.cli.html.drawings import drawings
from plan3d.cli.html.headline import headline
from plan3d.cli.markdown import one_line
from plan3d.cli.sections import sections
from plan3d.cli.study import Study
from plan3d.cli.words import brief

HERE: Final = Path(__file__).parent


def page(study: Study) -> str:
    """Return the page of a report."""
    style, script = (
        (HERE / name).read_text(encoding="utf-8").strip() for name in ("style.css", "script.js")
    )
    question, plan = study.case.question, study.plan
    environment = Environment(
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clean"] = one_line
    svg = {name: Markup(text) for name, text in drawings(study).items()}  # escaped
    return environment.get_template("page.html.j2").render(
        question=question,
        job=question.job,
        plan=plan,
        layout="" if plan is None else brief(plan.layout),
        found=bool(study.case.result.plans),
        figures=() if plan is None else tuple(headline(question, plan)),
        report=study.report,
        sections=sections(study),
        drawings=svg,
        command=study.case.command,
        style=Markup(style),
        script=Markup(script),
        policy=(
            f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
            "base-uri 'none'; form-action 'none'"
        ),
    )


def _source(text: str) -> str:
    """Return what a policy calls one inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
