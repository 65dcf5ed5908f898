"""Notebooks run from top to bottom, check what they say, and are stored without output."""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.name for path in NOTEBOOKS])
def test_a_notebook_runs(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    namespace: dict[str, Any] = {}
    with mpl.rc_context({"backend": "agg", "interactive": False}):
        for number, cell in enumerate(code):
            assert not cell["outputs"]
            assert cell["execution_count"] is None
            exec(compile("".join(cell["source"]), f"{path.name}[{number}]", "exec"), namespace)
        plt.close("all")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.name for path in NOTEBOOKS])
def test_a_notebook_argues(path: Path) -> None:
    """Claim, model, cross-check, measurement; and at the end what is missing."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = {kind: "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == kind)
            for kind in ("markdown", "code")}  # fmt: skip
    for step in ("**Claim", "odel", "ross-check", "easurement"):
        assert step in text["markdown"], step
    assert cells[-1]["cell_type"] == "markdown"
    assert "## What is missing" in "".join(cells[-1]["source"])
    assert text["code"].count("assert ") >= 5


def test_there_is_a_notebook_for_each_question() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {
        "first_search", "cost_model", "accuracy", "calibration", "searchers", "hundred_trillion"
    }  # fmt: skip
