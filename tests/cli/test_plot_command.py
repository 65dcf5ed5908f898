"""plan3d plot: files of each kind and figure, and what is refused."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from plan3d.cli.commands import plot_command
from plan3d.cli.main import run
from plan3d.cli.plots import PLOTS, shipped_accuracy

SMALL = ["--model", "gpt125m", "--gpus", "8"]
LAYOUT = ["--layout", "tp=2,pp=2"]
STARTS = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF-"}
Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("name", ["breakdown", "memory", "timeline", "roofline"])
def test_figures_of_a_layout(name: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "figure.svg"
    assert run(["plot", name, *SMALL, *LAYOUT, "-o", str(path)]) == 0
    assert capsys.readouterr() == ("", "")
    text = path.read_text(encoding="utf-8")
    assert "gpt125m on 8 x " in text
    assert "tp2 pp2 dp2" in text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "kind"), [("pareto", "png"), ("scaling", "pdf")])
def test_figures_of_a_search(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"figure.{kind}"
    assert run(["plot", name, *SMALL, "--output", str(path)]) == 0
    assert path.read_bytes().startswith(STARTS[kind])


def test_the_figure_of_the_runs(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.SVG"
    assert run(["plot", "accuracy", "-o", str(path)]) == 0
    text = "".join(ET.fromstring(path.read_bytes()).itertext())
    assert "measured step time [s]" in text
    assert "mathdefault" not in text


def test_jobs_in_another_state_than_predicted_are_marked() -> None:
    """On several nodes: 467 on slow hosts, and 264 pipelines of before a fix."""
    drawn = {line.get_label(): line for line in shipped_accuracy().axes[0].lines}
    assert len(drawn["a job that recorded trouble"].get_xydata()) == 467 + 264
    assert len(drawn["a run"].get_xydata()) > 467 + 264


def test_a_file_that_is_there_is_replaced_by_force_only(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "figure.svg"
    path.write_text("old")
    assert run(["plot", "memory", *SMALL, *LAYOUT, "-o", str(path)]) == 2
    assert "exists already; give --force" in capsys.readouterr().err
    assert path.read_text() == "old"
    assert run(["plot", "memory", *SMALL, *LAYOUT, "-o", str(path), "--force"]) == 0
    assert path.read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["pie", *SMALL, "-o", "x.svg"], "no figure 'pie'"),
        (["memory", *SMALL, "-o", "x.gif"], "no kind of figure 'gif'"),
        (["memory", *SMALL, "-o", "nowhere/x.svg"], "there is no directory"),
        (["memory", "-o", "x.svg"], "give both"),
        (["memory", "--model", "gpt125m", "-o", "x.svg"], "give both"),
        (["accuracy", *SMALL, "-o", "x.svg"], "leave the model out"),
        (["accuracy", "--seq", "3", "-o", "x.svg"], "all other options"),
        (["accuracy", "--framework", "nemo", "-o", "x.svg"], "all other options"),
        (["pareto", *SMALL, *LAYOUT, "-o", "x.svg"], "leave --layout out"),
        (["timeline", *SMALL, "--layout", "dp=8", "-o", "x.svg"], "pp of 2 or more"),
        (["memory", *SMALL, "--layout", "tp=3", "-o", "x.svg"], "cannot run"),
        (["memory", *SMALL], "--output"),
    ],
)
def test_what_is_refused(
    args: list[str],
    message: str,
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["plot", *args]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_kind_is_checked_before_layouts_are_looked_for(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "x.gif"
    assert run(["plot", "memory", "--model", "gpt175b", "--gpus", "1", "-o", str(path)]) == 2
    assert "no kind of figure 'gif'" in capsys.readouterr().err


def test_a_model_that_fits_nowhere(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "x.svg"
    assert run(["plot", "memory", "--model", "gpt175b", "--gpus", "1", "-o", str(path)]) == 3
    assert "nothing to draw" in capsys.readouterr().err
    assert not path.exists()


def test_the_names_are_those_of_the_table() -> None:
    assert set(plot_command.NAMES) == {*PLOTS, plot_command.ACCURACY}


def test_help_does_not_load_matplotlib() -> None:
    code = (
        "import sys; from plan3d.cli.main import run; run(['plot', '--help']); "
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "False"
