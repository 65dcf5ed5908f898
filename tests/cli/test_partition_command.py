"""plan3d partition from end to end, and its tables of layers."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from plan3d.cli.main import run

BASE = ["partition", "--model", "gpt125m", "--gpus", "8", "--layout", "pp=4"]
Capture = pytest.CaptureFixture[str]


def parsed(capsys: Capture, *args: str) -> dict[str, Any]:
    assert run([*args, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def table(tmp_path: Path, capsys: Capture) -> Path:
    """The model's own layers, as the command writes them."""
    path = tmp_path / "layers.csv"
    assert run([*BASE, "--csv", str(path)]) == 0
    capsys.readouterr()
    return path


def edited(table: Path, row: int, column: str, cell: str) -> Path:
    with table.open(newline="") as file:
        lines = list(csv.reader(file))
    lines[row - 1][lines[0].index(column)] = cell
    table.write_text("\n".join(",".join(line) for line in lines))
    return table


def test_the_answer_shows_stages_balance_gain_and_proof(capsys: Capture) -> None:
    assert run(BASE) == 0
    shown = capsys.readouterr().out
    assert "Best partition (ideal): " in shown
    assert "proven optimal (dp), in " in shown
    assert "the best partition gains " in shown
    assert "balance 0." in shown
    assert "Runnable on megatron: " in shown
    assert "--num-layers 12 --pipeline-model-parallel-size 4" in shown
    assert "\nstage  layers  count  recompute " in shown
    assert "even split" in shown


def test_both_searchers_agree(capsys: Capture) -> None:
    dp = parsed(capsys, *BASE, "--searcher", "dp")
    ilp = parsed(capsys, *BASE, "--searcher", "ilp", "--time-limit", "20")
    assert ilp["ideal"]["searcher"] == "ilp, HiGHS"
    for found in (dp, ilp):
        assert found["ideal"]["proven"]
        assert sum(found["ideal"]["layers"]) == len(found["ideal"]["recompute"]) == 12
        assert found["gain"] >= 0
        assert found["gap_runnable"] >= -1e-12
    assert dp["ideal"]["step_time_s"] == pytest.approx(ilp["ideal"]["step_time_s"])


def test_coupled_stages(capsys: Capture) -> None:
    one = parsed(capsys, *BASE, "--couple", "one-recompute")
    assert len(set(one["ideal"]["recompute"])) <= 2
    kinds = parsed(capsys, *BASE, "--max-kinds", "1")
    assert set(kinds["ideal"]["layers"]) == {3}
    chunks = parsed(capsys, *BASE[:-1], "pp=2,vpp=3")
    assert len(chunks["ideal"]["layers"]) == 6
    assert len(chunks["ideal"]["stage_time_s"]) == 2


def test_the_models_own_table_changes_nothing(capsys: Capture, table: Path) -> None:
    own, again = parsed(capsys, *BASE), parsed(capsys, *BASE, "--table", str(table))
    assert again["ideal"]["step_time_s"] == own["ideal"]["step_time_s"]
    assert again["ideal"]["layers"] == own["ideal"]["layers"]


def test_a_slow_layer_stands_alone(capsys: Capture, table: Path) -> None:
    """As slow as the eleven others together: they have the other three stages."""
    edited(table, 2, "forward_s", "10")
    assert parsed(capsys, *BASE, "--table", str(table))["ideal"]["layers"][0] == 1


@pytest.mark.parametrize(
    ("row", "column", "cell", "message"),
    [
        (5, "forward_s", "fast", "row 5, column forward_s: 'fast' is not a number"),
        (3, "activation_bytes.full", "-1", "row 3, column activation_bytes.full: '-1'"),
        (4, "parameters_bytes", "", "row 4, column parameters_bytes: ''"),
        (2, "backward_s.none", "nan", "row 2, column backward_s.none: 'nan'"),
        (3, "layer", "7", "row 3, column layer: 7 where 2 is due"),
        (1, "forward_s", "forwards", "lacks column 'forward_s'"),
        (1, "working_bytes.full", "works.full", "unknown column 'works.full'"),
        (1, "backward_s.full", "backward_s.none", "unknown column 'activation_bytes.full'"),
    ],
)
def test_tables_that_are_not_of_layers(
    capsys: Capture, table: Path, row: int, column: str, cell: str, message: str
) -> None:
    edited(table, row, column, cell)
    assert run([*BASE, "--table", str(table)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("plan3d: ")
    assert message in error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no layers"),
        ("layer,forward_s\n", "has no layers"),
        ("layer,forward_s\n1,2,3\n", "row 2 has 3 cells, not 2"),
        ("layer,forward_s\n1,2\n", "no column backward_s.NAME"),
        (
            "layer,forward_s,parameters_bytes,backward_s.a,activation_bytes.a\n1,1,1,1,1\n",
            "has 1 layers, but gpt125m has 12",
        ),
    ],
)
def test_tables_of_another_form(capsys: Capture, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "layers.csv"
    path.write_text(text)
    assert run([*BASE, "--table", str(path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([*BASE[:-1], "pp=8,tp=1,dp=1,vpp=2"], "16 pipeline stages are more than the 12 layers"),
        ([*BASE[:-1], "pp=3"], "not the number of GPUs"),
        ([*BASE, "--searcher", "guess"], "no searcher 'guess'"),
        ([*BASE, "--couple", "all"], "no coupling 'all'"),
        ([*BASE, "--searcher", "dp", "--max-kinds", "2"], "use --searcher ilp"),
        ([*BASE, "--table", "missing.csv"], "cannot read the table missing.csv: No such file"),
        ([*BASE, "--max-kinds", "0"], "not a whole number"),
        ([*BASE, "--time-limit", "-1"], "--time-limit"),
    ],
)
def test_bad_input(capsys: Capture, args: list[str], message: str) -> None:
    assert run(args) == 2
    assert message in capsys.readouterr().err


def test_a_memory_that_nothing_meets_names_the_stage(capsys: Capture) -> None:
    args = ["partition", "--model", "gpt175b", "--gpus", "16", "--layout", "tp=8,pp=2"]
    assert run(args) == 3
    error = capsys.readouterr().err
    assert "stage 1 of 2 (layers 1 to 48) misses its 79.2 GiB by " in error


def test_no_time_for_the_solver_leaves_the_dps_answer(capsys: Capture) -> None:
    args = ["--searcher", "ilp", "--time-limit", "0"]
    found = parsed(capsys, *BASE, *args)["ideal"]
    assert found["step_time_s"] == parsed(capsys, *BASE)["ideal"]["step_time_s"]
