"""plan3d scale."""

import pytest

from tests.cli.answers import Capture, parsed, printed, refused

SMALL = ["scale", "--model", "gpt125m"]


def test_a_row_for_each_count_and_where_it_stops_paying(capsys: Capture) -> None:
    lines = printed(capsys, *SMALL, "--gpus", "1..16").splitlines()
    start = lines.index("Best plan by number of GPUs")
    assert [line.split()[0] for line in lines[start + 2 : start + 7]] == ["1", "2", "4", "8", "16"]
    assert lines[1] == "Fits from 1 GPUs; fastest of these: 16"
    assert any("strong scaling" in line for line in lines)


def test_the_object_says_the_same_as_a_search(capsys: Capture) -> None:
    points = parsed(capsys, *SMALL, "--gpus", "8,2")["points"]
    assert [point["gpus"] for point in points] == [2, 8]
    alone = parsed(capsys, "search", "--model", "gpt125m", "--gpus", "8", "--top", "1")["plans"][0]
    assert points[1]["plan"] == alone
    assert points[0]["efficiency"] == 1
    assert points[0]["gain"] is None
    rate = [point["tokens_per_s"] / point["gpus"] for point in points]
    assert points[1]["efficiency"] == pytest.approx(rate[1] / rate[0])


def test_where_nothing_fits_it_says_so(capsys: Capture) -> None:
    found = parsed(capsys, "scale", "--model", "gpt175b", "--gpus", "1,2", status=3)
    assert [point["plan"] for point in found["points"]] == [None, None]
    assert "misses the memory by" in found["points"][0]["why"]


@pytest.mark.parametrize(
    ("gpus", "message"),
    [
        ("65..127", "there is no power of two from 65 to 127"),
        ("64,x", "'x' is not a whole number"),
        ("8..2", "no power of two from 8 to 2"),
        ("", "'' is not a whole number"),
    ],
)
def test_what_is_no_count_is_refused(capsys: Capture, gpus: str, message: str) -> None:
    assert message in refused(capsys, *SMALL, "--gpus", gpus)
