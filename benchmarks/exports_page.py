"""Write docs/exports.md: what is exported to which framework, and what is lost on the way.

python benchmarks/exports_page.py > docs/exports.md
"""

import runpy
from pathlib import Path

from plan3d.planner.exports import EXPORTERS
from plan3d.planner.exports.export import LAST_CHECKED
from plan3d.planner.imports import READERS

HERE = Path(__file__).parent


def text() -> str:
    """Return the page up to the round trips."""
    lines = [(HERE / "exports_text.md").read_text(encoding="utf-8").rstrip("\n")]
    for name, one in EXPORTERS.items():
        there = name if name in READERS else f"{name} (written only)"
        lines.append(f"| {there} | {one.form} | {one.checked} |")
    lines += ["", f"Last checked on {LAST_CHECKED}.", "", "## What has no words", ""]
    for name, one in EXPORTERS.items():
        lines += [f"**{name}**", ""]
        lines += [f"- {x.says}" + (": refused" if x.refused else "") for x in one.limits]
        lines.append("")
    lines += [
        "Beside these, what `planner/frameworks.py` says that a framework cannot run is refused. "
        "Layouts that `plan3d search --framework` finds are not among it.",
        "",
        "Written by `python benchmarks/exports_page.py`.",
        "",
    ]
    return "\n".join(lines)


def round_trips() -> str:
    """Return the section that takes some seconds."""
    table = runpy.run_path(str(HERE / "roundtrips.py"))["table"]()
    return (
        "\n## Round trips\n\nLayouts drawn from all that are legal for the framework, written, and "
        "read back (`python benchmarks/roundtrips.py`):\n\n" + table + "\n"
    )


if __name__ == "__main__":
    print(text() + round_trips(), end="")
