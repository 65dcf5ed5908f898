"""plan3d advise."""

from tests.cli.answers import Capture, parsed, printed, refused

SMALL = ["advise", "--model", "gpt125m", "--gpus", "8", "--layout", "tp=2,recompute=full"]


def test_the_first_lines_say_what_to_change(capsys: Capture) -> None:
    lines = printed(capsys, *SMALL).splitlines()
    assert lines[1].startswith("Today: tp2 pp1 dp4 mb1 ")
    assert lines[2].startswith("Best single change: ")
    assert lines[3].startswith("One change after the other (")
    assert lines[4].startswith("Best of all layouts: ")
    text = "\n".join(lines)
    assert "\nTechniques that apply, by gain\n" in text
    assert "\nTechniques that do not apply\n" in text


def test_the_object(capsys: Capture) -> None:
    found = parsed(capsys, *SMALL)
    gains = [e["gain"] for e in found["effects"] if e["estimate"] and e["estimate"]["fits"]]
    assert gains == sorted(gains, reverse=True)
    recompute = next(e for e in found["effects"] if e["change"] == "recompute=none")
    assert recompute["gain"] > 0
    assert recompute["memory_bytes_change"] > 0
    assert found["path"][-1]["estimate"]["step_time_s"] < found["base"]["step_time_s"]
    assert found["best"]["step_time_s"] <= found["path"][-1]["estimate"]["step_time_s"] * 1.01
    assert any(e["refused"] for e in found["effects"])


def test_what_makes_a_layout_fit(capsys: Capture) -> None:
    asked = ["advise", "--model", "gpt6.7b", "--gpus", "64", "--layout", "dp=64,mb=4"]
    lines = printed(capsys, *asked).splitlines()
    assert lines[1].endswith("does NOT fit")
    assert lines[2].startswith(("It fits with ", "No single change makes it fit"))


def test_a_layout_that_cannot_run_is_refused(capsys: Capture) -> None:
    assert "cannot run as" in refused(capsys, *SMALL[:5], "--layout", "tp=3")
