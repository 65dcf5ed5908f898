"""Documents: links arrive, generated pages are up to date, modules that are named exist."""

import re
import runpy
import shlex
from pathlib import Path

import pytest

from plan3d.cli.main import run

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FOLDERS = ("simulator", "planner", "hardware_profiles", "cli", "benchmarks")
names = [page.relative_to(ROOT).as_posix() for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_links_arrive(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        arrived = (page.parent / path) if path else page
        assert arrived.exists(), target
        assert not anchor or f"# {anchor.replace('-', ' ')}" in arrived.read_text("utf-8").lower()


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for path in re.findall(rf"\b((?:{'|'.join(FOLDERS)})/[\w/.-]+\.(?:py|toml|csv))\b", text):
        if page.name != "constants.md":  # its paths are those of other projects, too
            assert (ROOT / path).exists(), path


def test_every_module_has_a_place_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for folder in ("simulator", "planner"):
        for path in (ROOT / folder).glob("[a-z]*.py"):
            assert f"`{path.stem}`" in page, f"{folder}/{path.name}"


def test_the_constants_are_up_to_date() -> None:
    text = runpy.run_path(str(ROOT / "benchmarks" / "constants_table.py"))["text"]()
    page = (ROOT / "docs" / "constants.md").read_text(encoding="utf-8")
    assert text == page, "run: python benchmarks/constants_table.py > docs/constants.md"


README = runpy.run_path(str(ROOT / "benchmarks" / "readme.py"))
BLOCKS = README["BLOCK"].findall((ROOT / "docs" / "economics.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("arguments", "shown"), BLOCKS, ids=[args for args, _ in BLOCKS])
def test_the_economics_are_up_to_date(
    arguments: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(shlex.split(arguments)) == 0
    kept = shown.rstrip().removesuffix(README["MORE"]).rstrip()
    again = "run: python benchmarks/readme.py docs/economics.md"
    assert capsys.readouterr().out.startswith(kept), again


def test_decisions_say_what_was_decided_and_why() -> None:
    for page in (ROOT / "docs" / "decisions").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert all(f"**{part}" in text for part in ("Context.", "Options", "Decision.")), page.name
        assert len(text.splitlines()) <= 40, f"{page.name} is longer than half a page"
