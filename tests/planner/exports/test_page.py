import runpy
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_page_is_up_to_date() -> None:
    text = runpy.run_path(str(ROOT / "benchmarks" / "exports_page.py"))["text"]()
    page = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    assert page.startswith(text), "run: python benchmarks/exports_page.py > docs/exports.md"
    assert page.rstrip().endswith("| 0 |"), "no layout may be lost"
