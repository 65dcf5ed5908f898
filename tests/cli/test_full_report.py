"""--report: the same content as a page, Markdown and data, and nothing half-written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from plan3d.cli import deliver
from plan3d.cli.case import NEAR_BEST
from plan3d.cli.main import run
from plan3d.cli.reports.full_report import KINDS

SMALL = ["--model", "gpt125m", "--gpus", "8"]
Capture = pytest.CaptureFixture[str]
SECTIONS = (
    "Why it wins, and where the runners-up lose", "Where the step goes", "What fills the memory",
    "The pipeline, operation by operation", "The kernels of a block", "Time against memory",
    "One step along each axis", "Fewer or more GPUs", "All near-best layouts",
    "Where the numbers come from",
)  # fmt: skip


def test_the_kinds_are_those_that_can_be_named() -> None:
    assert tuple(KINDS) == deliver.REPORTS


def test_stdout_is_the_same_with_and_without(tmp_path: Path, capsys: Capture) -> None:
    texts = []
    for more in ([], ["--report", str(tmp_path / "plan.md"), "--csv", str(tmp_path / "plan.csv")]):
        assert run(["search", *SMALL, "--top", "3", *more]) == 0
        lines = capsys.readouterr().out.splitlines()
        texts.append([line for line in lines if "legal layouts" not in line])  # how long it took
    assert texts[0] == texts[1]
    assert len((tmp_path / "plan.csv").read_text().splitlines()) == 1 + 3


@pytest.mark.parametrize("end", [".html", ".md"])
def test_every_section_is_there(end: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / f"plan{end.upper()}"
    args = ["search", *SMALL, "--fix", "pp=2", "--report", str(path)]
    assert run(args) == 0
    assert capsys.readouterr().err == ""
    text = path.read_text(encoding="utf-8")
    places = [text.rindex(f"{title}\n" if end == ".md" else f"{title}</h2>") for title in SECTIONS]
    assert places == sorted(places)
    assert f"plan3d search --model gpt125m --gpus 8 --fix pp=2 --report {path}" in text
    assert list(tmp_path.iterdir()) == [path]


def test_the_data_have_all_near_best_plans(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "plan.json"
    assert run(["search", *SMALL, "--top", "2", "--json", "--report", str(path)]) == 0
    short, full = json.loads(capsys.readouterr().out), json.loads(path.read_text())
    assert len(short["plans"]) == 2
    assert len(full["plans"]) == NEAR_BEST
    assert full["plans"][:2] == short["plans"]
    assert [point["gpus"] for point in full["scaling"]] == [2, 4, 8, 16, 32]
    best = full["plans"][0]
    (here,) = (point for point in full["scaling"] if point["gpus"] == 8)
    assert here["plan"]["layout"] == best["layout"]
    assert max(stage["total_bytes"] for stage in full["stages"]) == pytest.approx(
        best["memory_bytes"]
    )
    for change in full["neighbours"]:
        assert bool(change["refused"]) == (change["layout_option"] is None)
        if change["step_time_s"] is not None:
            assert sum(change["time"].values()) == pytest.approx(change["step_time_s"])
    times = [plan["step_time_s"] for plan in full["front"]]
    assert times == sorted(times)


def test_one_layout_has_no_search(tmp_path: Path) -> None:
    path = tmp_path / "plan.md"
    assert run(["estimate", *SMALL, "--layout", "tp=2,pp=2", "--report", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    assert "## What fills the memory" in text
    assert "## One step along each axis" in text
    assert "## All near-best layouts" not in text
    assert "plan3d estimate --model gpt125m --gpus 8 --layout tp=2,pp=2" in text


def test_the_textbook_has_no_stages(tmp_path: Path) -> None:
    path = tmp_path / "plan.html"
    args = ["search", *SMALL, "--fidelity", "textbook", "--report", str(path)]
    assert run(args) == 0
    text = path.read_text(encoding="utf-8")
    assert 'id="memory"' in text
    assert 'id="timeline"' not in text
    assert 'id="scaling"' not in text


def test_exact_stages_are_there(tmp_path: Path) -> None:
    path = tmp_path / "plan.md"
    args = ["search", *SMALL, "--searcher", "dp", "--fix", "pp=2", "--report", str(path)]
    assert run(args) == 0
    text = path.read_text(encoding="utf-8")
    assert "## Ideal stages" in text
    assert "--searcher dp" in text


def test_where_nothing_fits(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "plan.html"
    assert run(["search", "--model", "gpt175b", "--gpus", "1", "--report", str(path)]) == 3
    assert "Nothing fits; the nearest layout" in path.read_text(encoding="utf-8")
    assert "no layout can be used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plan.txt", "a report is one of .html, .md, .json"),
        ("plan", "a report is one of .html, .md, .json"),
        ("nowhere/plan.html", "there is no directory"),
        (".html", "a report is one of .html, .md, .json"),
    ],
)
@pytest.mark.parametrize("command", [["search"], ["estimate", "--layout", "dp=8"]], ids=" ".join)
def test_what_is_refused(
    command: list[str], name: str, message: str, tmp_path: Path, capsys: Capture
) -> None:
    assert run([*command, *SMALL, "--report", str(tmp_path / name)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    path = tmp_path / "plan.html"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert run(["search", *SMALL, "--report", str(path), "--force"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_hostile_names_stay_in_their_cells(tmp_path: Path) -> None:
    folder = tmp_path / "<img src=x onerror=alert(1)> | `x`\n# title"
    folder.mkdir()
    config = {
        "model_type": "llama", "hidden_size": 512, "num_hidden_layers": 4,
        "num_attention_heads": 8, "num_key_value_heads": 8, "intermediate_size": 1024,
        "vocab_size": 1000, "max_position_embeddings": 2048,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    for end in (".html", ".md"):
        path = tmp_path / f"plan{end}"
        args = ["--model", str(folder / "config.json"), "--gpus", "8", "--hardware", "dgx-h100"]
        more = ["--seq", "2048", "--global-batch", "64", "--report", str(path)]
        assert run(["search", *args, *more]) == 0
        text = path.read_text(encoding="utf-8")
        assert "\n# title" not in text
        commands = ("plan3d search", "plan3d estimate")
        lines = [line for line in text.splitlines() if not line.strip().startswith(commands)]
        assert "<img" not in "\n".join(lines).replace("\\<img", "")


def test_a_search_without_a_report_loads_none_of_it() -> None:
    code = (
        "import sys; from plan3d.cli.main import run; "
        "run(['search', '--model', 'gpt125m', '--gpus', '8']); "
        "print([name for name in ('matplotlib', 'jinja2', 'plan3d.cli.study', "
        "'plan3d.cli.json_fields') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_report_that_is_markdown_only_does_not_pretend(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "plan.html"
    assert run(["scale", *SMALL, "--report", str(path)]) == 2
    assert "end its name in .md" in capsys.readouterr().err
    assert not path.exists()
