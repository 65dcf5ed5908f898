"""Schemas: what commands print keeps them, what they do not say is refused, documents agree."""

import copy
import json
import re
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from plan3d.cli import as_json
from plan3d.cli.commands.schema_command import SCHEMAS
from plan3d.cli.main import run
from plan3d.cli.question import Question
from plan3d.planner.result import SearchResult

ROOT = Path(__file__).parents[2]
SMALL = ["--model", "gpt125m", "--gpus", "8"]
LAYOUT = ["--layout", "tp=2,pp=2"]
Capture = pytest.CaptureFixture[str]


def keeps(found: object, name: str) -> None:
    schema = SCHEMAS[name]()
    jsonschema.Draft202012Validator(schema).validate(found)


def printed(capsys: Capture, *args: str) -> dict[str, Any]:
    run(args)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_a_schema(name: str, capsys: Capture) -> None:
    found = printed(capsys, "schema", name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"].startswith("urn:plan3d:")


@pytest.mark.parametrize(
    "more",
    [
        [], ["--tokens", "1B"], ["--objective", "pareto"], ["--fidelity", "textbook"],
        ["--searcher", "dp", "--fix", "pp=2"], ["--fix", "tp=3"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_searches_keep_it(more: list[str], capsys: Capture) -> None:
    keeps(printed(capsys, "search", *SMALL, *more, "--json"), "search")


def test_other_models_keep_it(capsys: Capture) -> None:
    nowhere = printed(capsys, "search", "--model", "gpt175b", "--gpus", "1", "--json")
    assert nowhere["nearest"] is not None
    keeps(nowhere, "search")
    keeps(printed(capsys, "search", "--model", "mixtral-8x7b", "--gpus", "8", "--json"), "search")


def test_an_estimate_keeps_it(capsys: Capture) -> None:
    keeps(printed(capsys, "estimate", *SMALL, *LAYOUT, "--json"), "estimate")


@pytest.mark.parametrize(
    "args", [["search", *SMALL, "--fix", "pp=2"], ["estimate", *SMALL, *LAYOUT]], ids="-".join
)
def test_full_reports_keep_it(args: list[str], tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "plan.json"
    assert run([*args, "--report", str(path)]) == 0
    capsys.readouterr()
    found = json.loads(path.read_text(encoding="utf-8"))
    keeps(found, "report")
    assert found["schema"] == SCHEMAS["report"]()["$id"]
    assert found["pipeline"]["micro_batches"] >= 1
    assert len(found["stages"]) == 2


@pytest.mark.parametrize(
    "args",
    [
        ["timeline", *SMALL, *LAYOUT], ["timeline", *SMALL, *LAYOUT, "--schedule", "zb_h1"],
        ["partition", *SMALL, "--layout", "tp=1,pp=4"], ["scale", *SMALL[:2], "--gpus", "1,8"],
        ["scale", "--model", "gpt175b", "--gpus", "1,2"],
        ["models"], ["models", "show", "gpt125m"], ["models", "show", "deepseek-v3"],
        ["hardware"], ["hardware", "show", "dgx-h100"],
        ["validate", "--suite", "zb"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_other_commands_keep_theirs(args: list[str], capsys: Capture) -> None:
    run([*args, "--json"])
    found = json.loads(capsys.readouterr().out)
    keeps(found, args[0])


def test_the_schema_is_strict(question: Question, result: SearchResult) -> None:
    good = json.loads(as_json.dumps(as_json.of_search(question, result)))
    keeps(good, "search")
    assert good["schema"] == SCHEMAS["search"]()["$id"]
    for spoil in ("missing", "unknown", "type", "inside"):
        bad = copy.deepcopy(good)
        if spoil == "missing":
            del bad["advice"]
        elif spoil == "unknown":
            bad["more"] = 1
        elif spoil == "type":
            bad["plans"][0]["rank"] = "first"
        else:
            del bad["plans"][0]["time"]["bubble_s"]
        with pytest.raises(jsonschema.ValidationError):
            keeps(bad, "search")


def test_the_document_has_the_same_fields() -> None:
    tables = runpy.run_path(str(ROOT / "benchmarks" / "json_tables.py"))
    text = tables["PAGE"].read_text(encoding="utf-8")
    assert tables["page"](text) == text, "run: python benchmarks/json_tables.py"
    for fields in tables["TABLES"].values():
        assert all(f"| `{name}` | {field.what} |" in text for name, field in fields.items())


@pytest.mark.parametrize(
    ("name", "page", "heading"),
    [
        ("validate", "json.md", "## `plan3d validate`"),
        ("calibrate", "json.md", "## `plan3d calibrate`"),
        ("check", "json.md", "## `plan3d check`"),
        ("models", "json.md", "## `plan3d models`, `plan3d hardware`"),
        ("hardware", "json.md", "## `plan3d models`, `plan3d hardware`"),
        ("timeline", "timeline.md", "## `--json`"),
    ],
)
def test_the_other_documents_name_the_same_fields(name: str, page: str, heading: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").split(f"{heading}\n")[1]
    text = text.split("\n## ")[0]
    schema = SCHEMAS[name]()
    parts = [part for part in schema.get("anyOf", [schema]) if "properties" in part]
    fields = {field for part in parts for field in part["properties"]}
    assert fields <= set(re.findall(r"`(\w+)`", text))
    cells = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    assert {field for cell in cells for field in re.findall(r"`(\w+)`", cell)} <= fields


def test_an_unknown_schema(capsys: Capture) -> None:
    assert run(["schema", "serch"]) == 2
    assert "did you mean search" in capsys.readouterr().err
