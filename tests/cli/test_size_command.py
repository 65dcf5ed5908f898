"""plan3d size."""

from pathlib import Path

import pytest

from tests.cli.answers import Capture, parsed, printed, refused

SMALL = ["size", "--model", "gpt125m", "--tokens", "10B"]


def test_the_fewest_and_the_proof(capsys: Capture) -> None:
    found = parsed(capsys, *SMALL, "--days", "12h")
    answer, below = found["answer"], found["below"]
    assert answer["met"]
    assert answer["run"]["time_s"] <= found["goal"]["within_s"] == 43_200
    assert below["gpus"] < answer["gpus"]
    assert not below["met"]
    assert found["next_below"]
    tried = [one["gpus"] for one in found["tried"]]
    assert tried == sorted(set(tried))
    assert found["goal"]["within_usd"] is None


def test_the_first_lines_answer(capsys: Capture) -> None:
    lines = printed(capsys, *SMALL, "--days", "1", "--budget", "5k$").splitlines()
    assert lines[1] == "Wanted: 10 B tokens in 1 day, for 5,000 USD"
    assert "GPU hours" in lines[2]
    assert lines[4].startswith("The fewest of the ")


def test_what_cannot_be_met_says_what_is_nearest(capsys: Capture) -> None:
    found = parsed(capsys, *SMALL, "--days", "1s", "--most-gpus", "16", status=3)
    assert found["answer"] is None
    assert found["fastest"]["gpus"] == 16
    assert found["fastest"]["run"]["days"] > 0
    assert found["cheapest"] is not None


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "give a deadline or a budget"),
        (["--days", "soon"], "'soon' is not a time; give one such as 30d or 12h"),
        (["--days", "0d"], "'0d' is not a time"),
        (["--budget", "cheap"], "'cheap' is not an amount of USD; give one such as 5M or 750k"),
        (["--budget", "1M", "--price", "0"], "--budget needs a rent"),
    ],
)
def test_what_is_no_goal_is_refused(capsys: Capture, args: list[str], message: str) -> None:
    assert message in refused(capsys, *SMALL, *args)


def test_a_model_without_tokens_needs_them(capsys: Capture) -> None:
    asked = ["size", "--model", "h=512,l=4,a=8", "--days", "1"]
    assert "give --tokens, such as 2T" in refused(capsys, *asked)


def test_the_report_as_markdown(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "size.md"
    printed(capsys, *SMALL, "--days", "1", "--report", str(path))
    assert "## Numbers of GPUs that were tried" in path.read_text(encoding="utf-8")
