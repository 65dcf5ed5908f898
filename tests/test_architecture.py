"""What holds for the tree as a whole: packaging, layers, names, length of files."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("simulator", "planner", "hardware_profiles", "cli")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FILES = sorted(
    path
    for folder in (*FOLDERS, "plan3d", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if not any(part.is_symlink() for part in path.parents)
)
LINES = 300


def packages() -> Iterator[tuple[str, str]]:
    """Every folder with Python files: its published name, and where it is."""
    yield "plan3d", "plan3d"
    for folder in FOLDERS:
        for init in sorted((ROOT / folder).rglob("__init__.py")):
            where = init.parent.relative_to(ROOT)
            yield ".".join(("plan3d", *where.parts)), where.as_posix()


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def test_the_packages_of_pyproject_are_the_folders() -> None:
    setuptools = PYPROJECT["tool"]["setuptools"]
    assert dict(packages()) == setuptools["package-dir"]
    assert sorted(setuptools["packages"]) == sorted(name for name, _ in packages())


def test_every_folder_of_python_is_a_package() -> None:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_links_are_relative_and_arrive(folder: str) -> None:
    link = ROOT / "plan3d" / folder
    assert link.readlink() == Path("..") / folder
    assert (ROOT / folder / "py.typed").exists()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_file_is_short_and_imports_by_the_published_name(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES
    for name in imported(path):
        assert name.split(".")[0] not in FOLDERS, f"import plan3d.{name}"
        assert not name.startswith("."), f"relative import {name}"


@pytest.mark.parametrize(
    ("folder", "other"), [("planner", "hardware_profiles"), ("hardware_profiles", "planner")]
)
def test_neighbours_do_not_know_each_other(folder: str, other: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        assert not any(name.startswith(f"plan3d.{other}") for name in imported(path)), path


def test_the_layers_point_one_way() -> None:
    command = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
