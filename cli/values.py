"""How the values of options are read: numbers, amounts, times, each refused with what would do."""

import re
from typing import NewType

import typer

from plan3d.simulator.errors import InputError
from plan3d.simulator.units import Dimension, parse

_SCALES = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_DURATIONS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def whole(value: str | int) -> int:
    """Read a whole number from 1 to 10 million; a default is one already."""
    text = str(value)
    if not re.fullmatch(r"\d{1,8}", text, re.ASCII) or not 1 <= int(text) <= 10**6:
        raise typer.BadParameter(f"{text!r} is not a whole number from 1 to 1,000,000")
    return int(text)


def tokens(text: str) -> float:
    """Read a number of tokens: 300B, 1.5T, 3e11."""
    return _scaled(text, 1, 1e18, "a number of tokens; give one such as 300B")


def price(text: str) -> float:
    """Read a price in USD per GPU and hour."""
    if not re.fullmatch(r"\d{1,6}(\.\d*)?", text, re.ASCII):
        raise typer.BadParameter(f"{text!r} is not a price in USD per hour; give one such as 2.50")
    return float(text)


def duration(text: str | float) -> float:
    """Read a time such as 90s, 5m or 1h, from a second to a week [s]."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d+)?) ?(s|m|min|h)", str(text), re.ASCII)
    seconds = float(match[1]) * _DURATIONS[match[2]] if match else 0.0
    if not 1 <= seconds <= 7 * 86_400:
        raise typer.BadParameter(f"{text!r} is not a time; give one such as 90s, 5m or 1h")
    return seconds


Counts = NewType("Counts", tuple[int, ...])
"""Numbers of GPUs."""


def counts(text: str) -> Counts:
    """Read numbers of GPUs: the powers of two of 64..16384, or a list such as 64,96,128."""
    ends = re.fullmatch(r"(\d{1,8})\.\.(\d{1,8})", text.strip(), re.ASCII)
    if ends is None:
        return Counts(tuple(whole(part.strip()) for part in text.split(",")))
    low, high = whole(ends[1]), whole(ends[2])
    powers = tuple(2**i for i in range(20) if low <= 2**i <= high)
    if not powers:
        raise typer.BadParameter(
            f"{text!r}: there is no power of two from {low:,} to {high:,}; "
            "give a range such as 64..16384, or a list such as 64,96,128"
        )
    return Counts(powers)


def money(text: str) -> float:
    """Read an amount of dollars: 5M, 5M$, $750k, 2.5e6."""
    bare = text.strip().removeprefix("$").removesuffix("$").removesuffix("USD")
    return _scaled(bare, 0.01, 1e15, "an amount of USD; give one such as 5M or 750k")


def gpu_hours(text: str) -> float:
    """Read an amount of GPU hours: 1M, 750k [s]."""
    return _DURATIONS["h"] * _scaled(text, 0.01, 1e15, "a number of GPU hours; give one such as 1M")


def _scaled(text: str, least: float, most: float, wanted: str) -> float:
    """Read a number that may end in K, M, B or T."""
    number = r"(\d{1,20}(?:\.\d{1,20})?(?:e\+?\d{1,2})?) ?([KMBT]?)"
    match = re.fullmatch(number, text.strip(), re.I | re.ASCII)
    value = float(match[1]) * _SCALES[match[2].upper()] if match else 0.0
    if not least <= value <= most:
        raise typer.BadParameter(f"{text!r} is not {wanted}")
    return value


def span(text: str) -> float:
    """Read a long time: 30d, 12h, 45min; a plain number is days [s]."""
    return _quantity(text, "s", "d", "a time; give one such as 30d or 12h")


def rate(text: str) -> float:
    """Read a bandwidth: 2 GB/s, 400 Gbit/s [bytes/s]."""
    return _quantity(text, "B/s", "", "a bandwidth; give one such as '2 GB/s'")


def _quantity(text: str, dimension: Dimension, unit: str, wanted: str) -> float:
    try:
        bare = re.fullmatch(r"[\d.]+", text.strip(), re.ASCII)
        value = parse(f"{text}{unit}" if bare else text, dimension)
    except InputError as error:
        raise typer.BadParameter(f"{text!r} is not {wanted} ({error})") from error
    if value <= 0:
        raise typer.BadParameter(f"{text!r} is not {wanted}")
    return value


def amount(text: str) -> float:
    """Read a plain number from 0."""
    if not re.fullmatch(r"\d{1,9}(\.\d{0,9})?", text.strip(), re.ASCII):
        raise typer.BadParameter(f"{text!r} is not a number from 0; give one such as 1.2")
    return float(text)


def flop(text: str) -> float:
    """Read an amount of work: 5.76e23 [FLOP]."""
    match = re.fullmatch(r"\d{1,9}(\.\d{1,9})?(e\+?\d{1,2})?", text.strip(), re.I | re.ASCII)
    if match is None or not 0 < float(match[0]) <= 1e40:
        raise typer.BadParameter(f"{text!r} is not an amount of FLOP; give one such as 5.76e23")
    return float(match[0])


def share(text: str | float) -> float:
    """Read a share above 0, up to 1: 0.4, 40%."""
    match = re.fullmatch(r"(\d{0,3}(?:\.\d{1,9})?) ?(%?)", str(text).strip(), re.ASCII)
    value = float(match[1] or 0) / (100 if match[2] else 1) if match and match[1] != "." else 0.0
    if not 0 < value <= 1:
        raise typer.BadParameter(f"{text!r} is not a share above 0, up to 1; give one such as 0.4")
    return value
