import pytest
import typer

from plan3d.cli.values import (
    amount,
    counts,
    flop,
    gpu_hours,
    money,
    price,
    rate,
    share,
    span,
    tokens,
    whole,
)


def test_whole() -> None:
    assert whole("1024") == 1024


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1e99", "", "9" * 99, "٣", "1000001", "nan"])
def test_what_is_not_a_whole_number(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="whole number from 1 to 1,000,000"):
        whole(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("300B", 3e11), ("1.5T", 1.5e12), ("3e11", 3e11), ("300 b", 3e11), ("7", 7), ("2e3M", 2e9)],
)
def test_tokens(text: str, value: float) -> None:
    assert tokens(text) == value


@pytest.mark.parametrize("text", ["0", "-1B", "B", "300X", "1e99", "inf", "nan", "", "1e-3"])
def test_what_is_not_a_number_of_tokens(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 300B"):
        tokens(text)


def test_price() -> None:
    assert price("2.50") == 2.5


@pytest.mark.parametrize("text", ["-1", "free", "nan", "1e9", ""])
def test_what_is_not_a_price(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="USD per hour"):
        price(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("64..16384", tuple(2**i for i in range(6, 15))),
        ("100..300", (128, 256)),
        ("64,96, 8", (64, 96, 8)),
        ("64", (64,)),
    ],
)
def test_counts(text: str, values: tuple[int, ...]) -> None:
    assert counts(text) == values


@pytest.mark.parametrize("text", ["65..127", "0..8", "8..", "64,,8", "8-16", "1e3", "64..16384..3"])
def test_what_is_no_count(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        counts(text)


@pytest.mark.parametrize(
    ("text", "usd"),
    [("5M", 5e6), ("5M$", 5e6), ("$750k", 7.5e5), ("2.5e6 USD", 2.5e6), ("12", 12), ("1B", 1e9)],
)
def test_money(text: str, usd: float) -> None:
    assert money(text) == usd


@pytest.mark.parametrize("text", ["", "0", "-5M", "5X", "M", "inf", "nan", "1e99"])
def test_what_is_no_money(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 5M or 750k"):
        money(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 2_592_000), ("30", 2_592_000), ("12h", 43_200), ("1.5 h", 5400)]
)
def test_span(text: str, seconds: float) -> None:
    assert span(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0", "0h", "-3d", "5 GB", "1..2", "nan", "inf d"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a time; give one such as 30d or 12h"):
        span(text)


def test_rate() -> None:
    assert rate("2 GB/s") == 2e9
    with pytest.raises(typer.BadParameter, match="is not a bandwidth"):
        rate("2")


@pytest.mark.parametrize(("text", "value"), [("0.4", 0.4), ("40%", 0.4), ("40 %", 0.4), ("1", 1)])
def test_share(text: str, value: float) -> None:
    assert share(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["0", "1.5", "120%", "-0.1", ".", "", "%", "nan"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a share above 0, up to 1"):
        share(text)


def test_plain_numbers() -> None:
    assert amount("1.1") == 1.1
    assert flop("5.76e23") == 5.76e23
    for wrong in ("-1", "x", "", "1e400", "inf"):
        with pytest.raises(typer.BadParameter):
            amount(wrong)
        with pytest.raises(typer.BadParameter):
            flop(wrong)


def test_gpu_hours_are_seconds() -> None:
    assert gpu_hours("1.5k") == 1500 * 3600
    with pytest.raises(typer.BadParameter, match="not a number of GPU hours"):
        gpu_hours("0")
