"""Write the tables of docs/json.md that `plan3d schema` has, too.

Run as ``python benchmarks/json_tables.py``; tests/cli/test_schema.py says when to.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from plan3d.cli.json_fields import FULL, PLAN, SEARCH, Field

PAGE: Final = Path(__file__).parent.parent / "docs" / "json.md"
TABLES: Final = {"search": SEARCH, "plan": PLAN, "report": FULL}


def table(fields: Mapping[str, Field]) -> str:
    """Return the table of some fields."""
    rows = [f"| `{name}` | {field.what} |" for name, field in fields.items()]
    return "\n".join(["| field | what |", "|---|---|", *rows])


def page(text: str) -> str:
    """Return the page with its tables as they should be."""
    for name, fields in TABLES.items():
        pattern = rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)"
        found = table(fields)
        text = re.sub(
            pattern, lambda m, new=found: m[1] + new + m[2], text, count=1, flags=re.DOTALL
        )
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
