import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.simulator.errors import InputError
from plan3d.simulator.units import UNITS, Dimension, parse


@pytest.mark.parametrize(
    ("text", "dimension", "si"),
    [
        ("400 Gbit/s", "B/s", 50e9),
        ("3.35 TB/s", "B/s", 3.35e12),
        ("80 GiB", "B", 80 * 1024**3),
        ("80GB", "B", 80e9),
        ("1 KiB", "B", 1024),
        ("989.4 TFLOP/s", "FLOP/s", 989.4e12),
        ("2.5 PFLOP/s", "FLOP/s", 2.5e15),
        ("19.6 us", "s", 19.6e-6),
        (" 2 min ", "s", 120),
        ("-1e3 ms", "s", -1),
        (".5 kW", "W", 500),
        ("3.6 USD/h", "USD/s", 1e-3),
        # sqrt(1 MB) = 1e3 sqrt(B)
        ("5 us/sqrt(MB)", "s/sqrt(B)", 5e-9),
    ],
)
def test_units_by_hand(text: str, dimension: Dimension, si: float) -> None:
    assert parse(text, dimension) == pytest.approx(si, rel=1e-15)


@pytest.mark.parametrize("unit", UNITS)
def test_one_of_each_unit_is_its_factor(unit: str) -> None:
    dimension, factor = UNITS[unit]
    assert parse(f"1 {unit}", dimension) == factor


def test_a_wrong_dimension_is_explained() -> None:
    with pytest.raises(InputError, match=r"'400 GB' is in B, but B/s is wanted \(B/s, MB/s, GB/s"):
        parse("400 GB", "B/s")


def test_an_unknown_unit_lists_those_that_work() -> None:
    with pytest.raises(InputError, match=r"no unit 'Gbps'; wanted: .*Gbit/s"):
        parse("400 Gbps", "B/s")


@pytest.mark.parametrize("text", ["", "GB", "80", "nan GB", "inf GB", "1.2.3 GB", "1e999 GB", "é"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse(text, "B")


@given(st.text(max_size=200))
def test_any_text_is_a_number_or_an_input_error(text: str) -> None:
    with contextlib.suppress(InputError):
        assert abs(parse(text, "B")) < float("inf")


@given(st.floats(min_value=-1e290, max_value=1e290))
def test_a_printed_float_comes_back(value: float) -> None:
    assert parse(f"{value!r} s", "s") == value
