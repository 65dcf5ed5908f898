"""The file of what was learnt: complete and in order, or refused with a clear word."""

from dataclasses import replace
from pathlib import Path

import pytest

from plan3d.planner.uncertainty.calibration import SHIPPED, as_toml, read, shipped
from plan3d.planner.uncertainty.conformal import ENOUGH
from plan3d.planner.uncertainty.regimes import Regime
from plan3d.simulator.errors import InputError

TEXT = SHIPPED.read_text(encoding="utf-8")


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    again = tmp_path / "again.toml"
    again.write_text(as_toml(shipped()), encoding="utf-8")
    assert read(again) == shipped()
    assert as_toml(read(again)) == TEXT


def test_the_shipped_file_says_what_it_is_from() -> None:
    found = shipped()
    assert found.runs.endswith(".csv")
    assert len(found.digest) == 16
    assert "a100-80g-sxm" in found.gpus


@pytest.mark.parametrize("regime", Regime)
def test_a_regime_of_few_suites_is_said_to_be_widened(regime: Regime) -> None:
    band = shipped().time[regime]
    assert (band.inflation > 1) == (band.suites < ENOUGH)


def test_nothing_is_known_of_an_unseen_gpu() -> None:
    band, union = shipped().time[Regime.UNSEEN], shipped().union
    assert (band.runs, band.suites, band.inflation) == (0, 0, 2.0)
    assert band.low == pytest.approx(2 * union.low, abs=2e-4)
    assert band.high == pytest.approx(2 * union.high, abs=2e-4)


def test_another_memory_is_the_same_gpu() -> None:
    assert shipped().knows("a100-640g-pcie")
    assert not shipped().knows("a1000-80g")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read it.*benchmarks/intervals\.py"):
        read(tmp_path / "none.toml")


def line_of(name: str) -> str:
    return next(line for line in TEXT.splitlines() if line.startswith(name))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[memory]", "[something]", "'memory' is missing"),
        ("[time.rare]", "[time.rarer]", "'rare' is missing"),
        (line_of("digest"), "", "'digest' is missing"),
        (line_of("slope"), "slope = -1.0", "must be positive"),
        (line_of("slope"), 'slope = "steep"', "not a calibration"),
        (line_of("shift"), "shift = [1]", "not a calibration"),
        (line_of("low"), "low = 9.0", "not an interval"),
        (line_of("high"), "high = nan", "not an interval"),
        (line_of("inflation"), "inflation = ", "not a calibration"),
        ("[spreads]", "[spreads]\n\"a\" = [1.0, 2.0]", "a: not 19 numbers in order"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"benchmarks/intervals\.py") as error:
        read(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "cut.toml"
    path.write_text(TEXT[: len(TEXT) // 2], encoding="utf-8")
    with pytest.raises(InputError):
        read(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a calibration"):
        read(path)


def test_ends_are_rounded_outwards() -> None:
    """The run that sets an end is inside."""
    known = shipped()
    sharp = replace(known.memory, low=-0.123456, high=0.234512)
    text = as_toml(replace(known, memory=sharp))
    assert "[memory]\nlow = -0.1235\nhigh = 0.2346\n" in text
