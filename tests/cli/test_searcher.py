"""plan3d search --searcher dp: exact stages beside the plans."""

import json

import pytest

from plan3d.cli.main import run

BASE = ["search", "--model", "gpt125m", "--gpus", "8", "--fix", "pp=4", "--fix", "tp=1"]


def test_exact_stages_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BASE, "--searcher", "dp", "--fix", "vpp=1"]) == 0
    shown = capsys.readouterr().out
    assert "Ideal: " in shown
    assert "assignments, by the closed form (dp, " in shown
    assert "Runnable on megatron in that layout: " in shown
    assert "Ideal stages" in shown


def test_exact_stages_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BASE, "--searcher", "dp", "--fix", "vpp=1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(found["inner"]["ideal"]["layers"]) == 12
    assert found["inner"]["proven"] is True
    assert found["inner"]["ideal"]["step_time_s"] >= found["inner"]["bound_s"] * (1 - 1e-9)


def test_without_a_searcher_there_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BASE, "--json"]) == 0
    assert "inner" not in json.loads(capsys.readouterr().out)


def test_an_unknown_searcher(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BASE, "--searcher", "magic"]) == 2
    said = capsys.readouterr().err
    assert "no searcher 'magic'; there are: annealing, bayesian, cmaes, dp, " in said
