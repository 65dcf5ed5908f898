"""Write a report as Markdown."""

from collections.abc import Sequence

from jinja2 import Environment, StrictUndefined

from plan3d.cli.report import Report, Section

TEMPLATE = """\
# plan3d

{% for line in report.answer -%}
- {{ line | cell }}
{% endfor -%}
{% for section in sections %}
## {{ section.title | cell }}
{% for line in section.text %}
{{ line | cell }}
{% endfor -%}
{% for table in section.tables %}
{% if table.title != section.title -%}
### {{ table.title | cell }}

{% endif -%}
| {{ table.head | map("cell") | join(" | ") }} |
|{% for _ in table.head %}{{ " :-- |" if loop.index0 in table.words else " --: |" }}{% endfor %}
{% for row in table.rows -%}
| {{ row | map("cell") | join(" | ") }} |
{% endfor -%}
{% endfor -%}
{% endfor %}
{%- if command %}
## This report

    {{ command | line }}
{% endif %}
{%- if report.again %}
## Again

    {{ report.again | line }}
{% endif %}
{%- if report.grounds %}
## Grounds

{% for line in report.grounds -%}
- {{ line | cell }}
{% endfor -%}
{% endif -%}
"""


def markdown(report: Report, sections: Sequence[Section] = (), command: str = "") -> str:
    """Return the Markdown text of a report: its tables, or the sections that stand for them."""
    # Autoescape is for HTML; what Markdown reads as markup is escaped by `cell`.
    environment = Environment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["cell"] = _cell
    environment.filters["line"] = one_line
    shown = sections or [Section(title=table.title, tables=(table,)) for table in report.tables]
    return environment.from_string(TEMPLATE).render(report=report, sections=shown, command=command)


def one_line(text: str) -> str:
    """Replace what nobody can see: line ends, control characters, and what turns text around."""
    return "".join(c if c.isprintable() else " " for c in text)


def _cell(text: str) -> str:
    clean = one_line(text)
    for mark in ("\\", "|", "<", "*", "_", "`", "["):
        clean = clean.replace(mark, f"\\{mark}")
    return clean
