import pytest
import typer

from plan3d.cli.options import price, tokens, whole


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
