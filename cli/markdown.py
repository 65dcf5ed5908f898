"""Write a report as Markdown."""

from jinja2 import Environment, StrictUndefined

from plan3d.cli.report import Report

TEMPLATE = """\
# plan3d

{% for line in report.answer -%}
- {{ line | cell }}
{% endfor -%}
{% for table in report.tables %}
## {{ table.title }}

| {{ table.head | map("cell") | join(" | ") }} |
|{% for _ in table.head %}{{ " :-- |" if loop.index0 in table.words else " --: |" }}{% endfor %}
{% for row in table.rows -%}
| {{ row | map("cell") | join(" | ") }} |
{% endfor -%}
{% endfor %}
{%- if report.again %}
## Again

    {{ report.again }}
{% endif %}
{%- if report.grounds %}
## Grounds

{% for line in report.grounds -%}
- {{ line | cell }}
{% endfor -%}
{% endif -%}
"""


def markdown(report: Report) -> str:
    """Return the Markdown text of a report."""
    # Autoescape is for HTML; what Markdown reads as markup is escaped by `cell`.
    environment = Environment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["cell"] = _cell
    return environment.from_string(TEMPLATE).render(report=report)


def _cell(text: str) -> str:
    clean = "".join(c if c.isprintable() else " " for c in text)
    for mark in ("\\", "|", "<", "*", "_", "`", "["):
        clean = clean.replace(mark, f"\\{mark}")
    return clean
