"""plan3d timeline from end to end, and its picture in characters."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from plan3d.cli.files import write
from plan3d.cli.main import run
from plan3d.cli.timeline_text import picture
from plan3d.simulator.errors import InputError
from plan3d.simulator.events import StageCosts, play
from plan3d.simulator.schedules.table import build

Capture = pytest.CaptureFixture[str]
SMALL = ("timeline", "--model", "gpt125m", "--gpus", "4", "--layout")
DOCS = Path(__file__).parents[2] / "docs"


def parsed(capsys: Capture, *args: str) -> dict[str, Any]:
    assert run([*args, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(
    ("name", "p", "m", "v"),
    [
        ("gpipe", 4, 4, 1),
        ("one_f_one_b", 4, 6, 1),
        ("interleaved", 2, 4, 2),
        ("looped_bfs", 2, 4, 2),
        ("zb_h1", 4, 6, 1),
        ("zb_h2", 4, 8, 1),
        ("zb_v", 3, 6, 2),
    ],
)
def test_the_picture_is_that_of_the_page(name: str, p: int, m: int, v: int) -> None:
    """docs/schedules.md, where F = I = W: rows of one or of two pictures side by side."""
    costs = StageCosts(forward_s=1.0, backward_input_s=1.0, backward_weight_s=1.0)
    found = picture(play(build(name, p, m, v), costs), 80)
    page = (DOCS / "schedules.md").read_text(encoding="utf-8")
    block = next(
        b for b in page.split("```") if re.search(rf"^.*\b{name}, (p = |m = )", b[:90], re.M)
    )
    shown = set(re.findall(r"rank \d  \S+", block))
    assert len(found) == p
    assert set(found) <= shown


def test_a_picture_that_would_hide_operations_is_not_drawn() -> None:
    costs = StageCosts(forward_s=1.0, backward_input_s=1.0, backward_weight_s=1.0)
    line = play(build("gpipe", 1, 10), costs)  # 30 characters and "rank 0  "
    assert len(picture(line, 38)[0]) == 38
    assert picture(line, 37) == ()


def test_two_that_overlap_are_shown_one_after_the_other() -> None:
    """DualPipe's F&B takes three characters: a digit, a small letter, a capital."""
    costs = StageCosts(forward_s=1.0, backward_input_s=1.0, backward_weight_s=1.0)
    row = picture(play(build("dualpipe", 2, 8), costs), 80)[0]
    assert sorted(row[8:].replace(".", "")) == sorted("01234567abcdefghABCDEFGH")


def test_the_report(capsys: Capture) -> None:
    assert run([*SMALL, "pp=4,mb=8", "--micro-batches", "8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("gpt125m on 4 x ")
    assert "one_f_one_b, 8 micro-batches" in lines[0]
    assert re.match(r"Pipeline .* of the step; bubble ", lines[1])
    assert lines[2].startswith("Closed form: ")
    assert re.match(r"rank 0  0123\.+aA", lines[4])
    head = next(line for line in lines if line.startswith("rank ") and "warm-up" in line)
    assert head.split()[:3] == ["rank", "busy", "idle"]


def test_the_object_adds_up(capsys: Capture) -> None:
    found = parsed(capsys, *SMALL, "pp=4,mb=8", "--micro-batches", "8")
    assert (found["micro_batches"], found["job"]["global_batch"]) == (8, 64)
    assert found["operations"] == 2 * 4 * 8
    assert len(found["ranks"]) == 4
    for rank in found["ranks"]:
        causes = ("warm_up_s", "cool_down_s", "imbalance_s", "transfer_s")
        assert sum(rank[cause] for cause in causes) == pytest.approx(rank["idle_s"])
        assert rank["busy_s"] + rank["idle_s"] == pytest.approx(found["makespan_s"])
    kept = [rank["peak_activations_bytes"] for rank in found["ranks"]]
    assert [k / kept[3] for k in kept] == pytest.approx([4, 3, 2, 1])


def test_the_closed_form_is_that_of_estimate(capsys: Capture) -> None:
    args = (*SMALL[1:], "pp=4,mb=8", "--global-batch", "64")
    found = parsed(capsys, "timeline", *args)
    plan = parsed(capsys, "estimate", *args)["plans"][0]
    beside = ("dp_comm_s", "optimizer_s", "offload_s", "overhead_s")
    rest = sum(plan["time"][name] for name in beside)
    assert found["closed_form_s"] == pytest.approx(plan["step_time_s"] - rest)
    share = found["pipeline_s"] / (found["pipeline_s"] + rest)
    assert found["step_share"] == pytest.approx(share)
    assert found["difference"] == pytest.approx(found["pipeline_s"] / found["closed_form_s"] - 1)
    assert abs(found["difference"]) < 0.01


def test_one_rank(capsys: Capture) -> None:
    found = parsed(capsys, *SMALL, "tp=4,mb=8", "--micro-batches", "4")
    assert found["makespan_s"] == pytest.approx(found["closed_form_s"])
    assert found["bubble"] == pytest.approx(0)
    assert [rank["idle_s"] for rank in found["ranks"]] == pytest.approx([0])


def test_the_schedule_can_be_another_one(capsys: Capture) -> None:
    args = (*SMALL, "pp=4,mb=8,schedule=gpipe", "--micro-batches", "8")
    gpipe, zb = parsed(capsys, *args), parsed(capsys, *args, "--schedule", "zb_h1")
    assert (gpipe["schedule"], zb["schedule"]) == ("gpipe", "zb_h1")
    assert zb["makespan_s"] < gpipe["makespan_s"]
    assert gpipe["operations"] == 64
    assert zb["operations"] == 96


def test_ranks_that_start_the_next_step_apart(capsys: Capture) -> None:
    """Where the layers outweigh the logits, ranks of ZB-H2 end as staggered as they began."""
    job = ("--model", "gpt175b", "--gpus", "4", "--layout", "pp=4,schedule=zb_h2")
    found = parsed(capsys, "timeline", *job, "--micro-batches", "8")
    assert found["pipeline_s"] == max(rank["span_s"] for rank in found["ranks"])
    assert found["pipeline_s"] < 0.95 * found["makespan_s"]


def test_files(capsys: Capture, tmp_path: Path) -> None:
    trace, svg, png = (tmp_path / name for name in ("t.json", "t.svg", "t.png"))
    files = ("--trace", str(trace), "--svg", str(svg), "--png", str(png))
    assert run([*SMALL, "pp=4,mb=8", "--micro-batches", "4", *files]) == 0
    capsys.readouterr()
    assert sorted(tmp_path.iterdir()) == [trace, png, svg]
    assert len(json.loads(trace.read_text())["traceEvents"]) > 32
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "gpt125m on 4 x" in svg.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("pp=4,mb=8,dp=2",), "is not the number of GPUs"),
        (("pp=4,vpp=4,mb=8",), "there are fewer layers than pp * vpp"),
        (("pp=4,vpp=2,mb=8",), "do not divide by vpp"),
        (("pp=4,mb=8", "--micro-batches", "0"), "'0' is not a whole number"),
        (("pp=4,mb=100",), "does not divide by dp * micro_batch"),
        (("pp=4,mb=8", "--schedule", "dualpipe", "--micro-batches", "7"), "dualpipe"),
        (("pp=4,mb=8", "--schedule", "zb_v"), "zb_v"),
        (("pp=4,mb=8", "--schedule", "zbv"), "did you mean zb_v"),
        (("pp=4", "--micro-batches", "50000"), "--micro-batches 41666 or fewer are played"),
        (("pp=4", "--micro-batches", "8", "--global-batch", "8"), "give one of them"),
        (("pp=4,schedule=gpipe", "--framework", "megatron"), "megatron has no schedule gpipe"),
        (("pp=4,mb=8", "--trace", "/missing/t.json"), "there is no directory /missing"),
        (("pp=4,mb=8", "--svg", "same", "--png", "same"), "two outputs would go to"),
    ],
)
def test_bad_input_leaves_nothing(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    outputs = () if "--svg" in args else ("--png", "a.png", "--svg", "a.svg")
    assert run([*SMALL, *args, *outputs]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(InputError, match=r"cannot write .*a\.png: No space left on device"):
        write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
