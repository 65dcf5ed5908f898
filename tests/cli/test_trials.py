"""plan3d search --searcher NAME: searchers that sample."""

import json
import shlex
from pathlib import Path

import pytest

from plan3d.cli.main import run

BASE = ["search", "--model", "gpt125m", "--gpus", "8", "--fix", "zero=1"]


@pytest.mark.parametrize("name", ["random", "cmaes", "bayesian", "residual"])
def test_the_best_that_was_found(capsys: pytest.CaptureFixture[str], name: str) -> None:
    command = [*BASE, "--searcher", name, "--budget", "20", "--seed", "3", "--json"]
    assert run(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert run([*BASE, "--json"]) == 0
    every = json.loads(capsys.readouterr().out)
    certificate = found["certificate"]
    assert certificate["searcher"] == name
    assert certificate["evaluated"] == 20
    assert certificate["proven"] is False
    assert certificate["legal"] == every["certificate"]["legal"]
    assert certificate["fit"] == every["certificate"]["fit"]
    best = min(plan["step_time_s"] for plan in every["plans"])
    assert found["plans"][0]["step_time_s"] >= best * (1 - 0.02)  # the near-tie shown may be played
    assert run(command) == 0
    assert json.loads(capsys.readouterr().out)["plans"] == found["plans"]


def test_nothing_is_called_proven(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BASE, "--searcher", "bayesian", "--budget", "15", "--events"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "best found among" in shown
    assert "(bayesian, event simulation, 15 evaluated)" in shown
    assert "proven" not in shown


def test_a_front(capsys: pytest.CaptureFixture[str]) -> None:
    command = [*BASE, "--searcher", "nsga2", "--budget", "40", "--objective", "pareto", "--json"]
    assert run(command) == 0
    plans = json.loads(capsys.readouterr().out)["plans"]
    assert len(plans) > 1
    assert [p["memory_bytes"] for p in plans] == sorted(
        (p["memory_bytes"] for p in plans), reverse=True
    )


def test_a_study_goes_on(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    storage = str(tmp_path / "study.db")
    more = ["--searcher", "random", "--storage", storage, "--json", "--budget"]
    evaluated = []
    for budget in ("5", "12"):
        assert run([*BASE, *more, budget]) == 0
        evaluated.append(json.loads(capsys.readouterr().out)["certificate"]["evaluated"])
    assert evaluated == [5, 12]
    other = ["search", "--model", "gpt125m", "--gpus", "16", *more, "5"]
    assert run(other) == 2
    assert "is of other layouts; use another name or storage" in capsys.readouterr().err
    longer = [*BASE, "--global-batch", "512", *more, "5"]
    assert run(longer) == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--searcher", "random", "--budget", "0"], "'0' is not a whole number"),
        (["--searcher", "random", "--budget", "2.5"], "'2.5' is not a whole number"),
        (["--searcher", "random", "--seed", "-1"], "'-1' is not a whole number from 0"),
        (["--searcher", "random", "--seed", "4294967296"], "is not a whole number from 0"),
        (["--searcher", "random", "--storage", "nosuch://x"], "storage 'nosuch://x' cannot be"),
        (["--searcher", "random", "--storage", ""], "not the name of a file"),
        (["--budget", "5"], "exhaustive looks at every layout and takes no --budget"),
        (["--searcher", "dp", "--seed", "5"], "dp looks at every layout and takes no --seed"),
        (["--events"], "takes no --events"),
        (["--searcher", "random", "--fidelity", "textbook"], "leave out --fidelity textbook"),
        (["--searcher", "random", "--objective", "memory"], "random cannot search by memory"),
        (["--searcher", "random", "--objective", "pareto"], "nsga2 searches by pareto"),
        (["--searcher", "nsga2"], "nsga2 cannot search by time"),
    ],
)
def test_options_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    assert run([*BASE, *options]) == 2
    captured = capsys.readouterr()
    assert says in " ".join(captured.err.replace("│", " ").split())
    assert captured.out == ""


def test_where_nothing_can_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BASE[:-1], "tp=3", "--searcher", "random"]) == 3
    said = capsys.readouterr().err
    assert "no layout is legal" in said
    assert "an exhaustive search says why" in said
    big = ["search", "--model", "gpt175b", "--gpus", "8", "--searcher", "random", "--budget", "5"]
    assert run(big) == 3
    assert "needs more than 1.25 times the memory" in capsys.readouterr().err


def test_the_command_in_a_report_does_the_same_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    sampling = ["--searcher", "random", "--budget", "7", "--seed", "3", "--events"]
    assert run([*BASE, *sampling, "--report", str(path)]) == 0
    first = json.loads(path.read_text())
    assert run([*shlex.split(first["command"])[1:], "--force"]) == 0
    capsys.readouterr()
    again = json.loads(path.read_text())
    assert again["command"] == first["command"]
    assert again["plans"] == first["plans"]
    assert again["certificate"] == first["certificate"]


def test_a_table_never_replaces_a_study(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "study.log"
    sampling = [*BASE, "--searcher", "random", "--budget", "3", "--storage", str(path)]
    assert run(sampling) == 0
    whole = path.read_bytes()
    (tmp_path / "link").symlink_to(path)
    for name in ("study.log", "link"):
        assert run([*sampling, "--csv", str(tmp_path / name), "--force"]) == 2
        assert "two outputs would go to" in capsys.readouterr().err
    assert path.read_bytes() == whole
