"""plan3d optimal."""

import pytest

from tests.cli.answers import Capture, parsed, printed, refused


def test_chinchilla_itself(capsys: Capture) -> None:
    """5.76e23 FLOP: 70 B parameters, 1.4 T tokens (arXiv:2203.15556, table 3 and section 4)."""
    chinchilla, kaplan = parsed(capsys, "optimal", "--flop", "5.76e23")["optima"]
    assert chinchilla["params"] == pytest.approx(70e9, rel=0.02)
    assert chinchilla["tokens"] == pytest.approx(1.4e12, rel=0.02)
    assert kaplan["law"] == "kaplan"
    assert kaplan["params"] > chinchilla["params"]


def test_hours_and_dollars_are_the_same_budget(capsys: Capture) -> None:
    """1,000 hours at 2 USD, 40 % of 989.4 TFLOP/s."""
    hours = parsed(capsys, "optimal", "--gpu-hours", "1000", "--hardware", "dgx-h100")
    usd = parsed(capsys, "optimal", "--budget", "2000", "--price", "2")
    assert hours["flop"] == pytest.approx(1000 * 3600 * 0.4 * 989.4e12)
    assert usd["flop"] == pytest.approx(hours["flop"])
    half = parsed(capsys, "optimal", "--gpu-hours", "1000", "--mfu", "20%")
    assert half["flop"] == pytest.approx(hours["flop"] / 2)


def test_a_gpu_without_bf16(capsys: Capture) -> None:
    line = printed(capsys, "optimal", "--gpu-hours", "1M", "--hardware", "dgx1-v100").splitlines()[
        0
    ]
    assert line.endswith("at MFU 40% in fp16")


def test_the_table(capsys: Capture) -> None:
    lines = printed(capsys, "optimal", "--budget", "5M").splitlines()
    assert lines[0].endswith("FLOP: h100-80g-sxm at MFU 40% in bf16")
    assert lines[4].split()[0] == "chinchilla"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "give one budget"),
        (["--flop", "1e24", "--budget", "5M"], "give one budget"),
        (["--gpu-hours", "x"], "'x' is not a number of GPU hours; give one such as 1M"),
        (["--flop", "much"], "'much' is not an amount of FLOP"),
        (["--gpu-hours", "1M", "--mfu", "1.5"], "'1.5' is not a share above 0, up to 1"),
        (["--gpu-hours", "1M", "--mfu", "."], "'.' is not a share"),
        (["--budget", "1M", "--price", "0"], "--budget needs a rent"),
    ],
)
def test_wrong_input(capsys: Capture, args: list[str], message: str) -> None:
    assert message in refused(capsys, "optimal", *args)
