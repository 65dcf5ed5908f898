"""plan3d cost."""

import pytest

from tests.cli.answers import Capture, parsed, printed, refused

LLAMA = [
    "cost", "--model", "llama-65b", "--gpus", "2048", "--tokens", "1.4T",
    "--hardware", "dgx-a100-80g", "--layout", "tp=8,pp=4,zero=1,mb=2",
]  # fmt: skip
SMALL = ["cost", "--model", "gpt125m", "--gpus", "8", "--layout", "dp=8", "--tokens", "10B"]


def test_llama_65b_lands_where_it_was(capsys: Capture) -> None:
    """21 days and 1.02 million GPU hours are published; about 5M USD at 4.84 USD an hour."""
    found = parsed(capsys, *LLAMA, "--price", "4.84")
    assert 15 < found["run"]["days"] < 30
    assert 0.7e6 < found["run"]["gpu_hours"] < 1.5e6
    assert 3.5e6 < found["run"]["cost_usd"] < 7e6
    eight, six = found["textbook"]
    assert (eight["flop_per_token"], six["flop_per_token"]) == (8, 6)
    assert eight["utilisation"] == pytest.approx(six["utilisation"] * 8 / 6)


def test_gpt_3_on_v100_takes_a_month_and_millions(capsys: Capture) -> None:
    """The lecture: 1k to 10k V100, about a month, 1 to 10 million USD."""
    found = parsed(
        capsys, "cost", "--model", "gpt175b", "--gpus", "4096", "--hardware", "dgx2-v100",
        "--layout", "tp=16,pp=16,recompute=full,mb=1", "--tokens", "300B", "--price", "2.00",
        "--framework", "any",
    )  # fmt: skip
    assert 10 < found["run"]["days"] < 60
    assert 1e6 < found["run"]["cost_usd"] < 1e7


def test_the_tables(capsys: Capture) -> None:
    text = printed(capsys, *SMALL)
    for title in ("The whole run", "Failures and checkpoints", "On one line", "Decoding", "Inputs"):
        assert f"\n{title}" in text
    assert "8TP/(NFU)" in text
    assert "arXiv:2407.21783" in text


def test_what_is_given_is_used(capsys: Capture) -> None:
    plain = parsed(capsys, *SMALL)
    other = parsed(
        capsys, *SMALL, "--pue", "2.2", "--co2", "960", "--host-share", "0.5", "--kwh", "0.16",
        "--mtbf-gpu", "1d", "--storage", "2 GB/s", "--restart", "5min", "--mtbf-node", "10d",
    )  # fmt: skip
    assert other["run"]["days"] > plain["run"]["days"]
    per_j = [one["run"]["emissions_kg"] / one["run"]["energy_j"] for one in (plain, other)]
    assert per_j[1] == pytest.approx(4 * per_j[0])
    assert other["inputs"]["restart_s"] == 300
    assert other["stops"]["write_s"] == pytest.approx(plain["stops"]["write_s"] / 2)
    lines = printed(capsys, *SMALL, "--pue", "2.2").splitlines()
    assert next(line for line in lines if line.startswith("PUE")).split() == ["PUE", "2.2", "given"]


def test_a_layout_that_does_not_fit_is_said(capsys: Capture) -> None:
    found = parsed(
        capsys, "cost", "--model", "gpt175b", "--gpus", "8", "--layout", "tp=8", status=3
    )
    assert not found["plan"]["fits"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--mtbf-gpu", "often"], "'often' is not a time"),
        (["--storage", "fast"], "'fast' is not a bandwidth; give one such as '2 GB/s'"),
        (["--pue", "0.5"], "pue is 0.5, but must be a number from 1"),
        (["--co2", "-3"], "'-3' is not a number from 0"),
        (["--mtbf-gpu", "1s"], "nothing is ever trained: something fails every"),
        (["--layout", "tp=3"], "cannot run as"),
    ],
)
def test_wrong_input(capsys: Capture, args: list[str], message: str) -> None:
    base = SMALL if args[0] != "--layout" else [*SMALL[:5], *SMALL[7:]]
    assert message in refused(capsys, *base, *args)
