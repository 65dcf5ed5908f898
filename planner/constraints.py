"""What the user wants to hold fixed: ``tp=8``, ``pp<=16``."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np

from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.layout import FIELDS, Order, Recompute, Schedule
from plan3d.simulator.numeric import Bools, Floats

WORDS: Final[Mapping[str, Mapping[str, float]]] = {
    "recompute": {member.name.lower(): float(member) for member in Recompute},
    "schedule": {member.name.lower(): float(member) for member in Schedule} | {"1f1b": 1.0},
    "order": {member.name.lower().replace("_", "-"): float(member) for member in Order},
}
"""Values that have names."""

RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "zero": (0, 3),
    "recompute_layers": (0, 10**7),
    "offload": (0, 1),
    **dict.fromkeys(("sp", "cp_all_to_all", "tp_overlap", "dp_overlap", "pp_overlap"), (0, 1)),
}
"""Least and greatest value of the axes that do not count from 1."""

_FIX = re.compile(r"(\w+) *=+ *([\w.-]+)", re.ASCII)
_LIMIT = re.compile(r"(\w+) *(<=|>=|<|>) *(\d{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """Only layouts with `low <= axis <= high`."""

    axis: str
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            words = {value: word for word, value in WORDS.get(self.axis, {}).items()}
            return f"{self.axis}={words.get(self.low, format(self.low, 'g'))}"
        return f"{self.axis}<={self.high:g}" if self.low == -inf else f"{self.axis}>={self.low:g}"


def parse_fix(text: str) -> Constraint:
    """Return the constraint of ``tp=8``, ``recompute=full`` or ``sp=on``.

    Examples
    --------
    >>> print(parse_fix("schedule=1F1B"))
    schedule=1f1b
    """
    match = _FIX.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{text!r} does not fix an axis; write it like tp=8 or recompute=full")
    axis = _known(match[1])
    value = _value(axis, match[2].lower())
    return Constraint(axis=axis, low=value, high=value)


def parse_limit(text: str) -> Constraint:
    """Return the constraint of ``pp<=16`` or ``tp>=2``.

    Examples
    --------
    >>> print(parse_limit("pp<16"))
    pp<=15
    """
    match = _LIMIT.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{text!r} does not limit an axis; write it like pp<=16 or tp>=2")
    axis, bound = _known(match[1]), float(match[3])
    if axis in WORDS or RANGES.get(axis, (1, inf))[1] == 1:
        value = min(WORDS.get(axis, ("1",)))
        raise InputError(f"{axis} has no range to limit; fix it instead: {axis}={value}")
    if match[2] in ("<", "<="):
        return Constraint(axis=axis, low=-inf, high=bound - (match[2] == "<"))
    return Constraint(axis=axis, low=bound + (match[2] == ">"), high=inf)


def parse_all(fixes: Iterable[str] | None, limits: Iterable[str] | None) -> tuple[Constraint, ...]:
    """Return the constraints of what is fixed and what is limited."""
    return (*map(parse_fix, fixes or ()), *map(parse_limit, limits or ()))


def fixed(constraints: Iterable[Constraint], axis: str, default: float) -> float:
    """Return the one value that the constraints leave an axis, or the default."""
    exact = [c.low for c in constraints if c.axis == axis and c.low == c.high]
    return exact[0] if exact else default


def allowed(constraints: Iterable[Constraint], axis: str, values: Floats) -> Bools:
    """Return which values of an axis the constraints leave."""
    keep = np.ones(np.shape(values), dtype=np.bool_)
    for constraint in constraints:
        if constraint.axis == axis:
            keep &= (constraint.low <= values) & (values <= constraint.high)
    return keep


def _known(axis: str) -> str:
    """Return an axis, or say which there are."""
    if axis not in FIELDS:
        raise unknown("axis", axis, FIELDS)
    return axis


def _value(axis: str, word: str) -> float:
    """Return the value that a word stands for on an axis."""
    if axis in WORDS:
        if word not in WORDS[axis]:
            raise unknown(axis, word, WORDS[axis])
        return WORDS[axis][word]
    low, high = RANGES.get(axis, (1, 10**7))
    switches = {"on": "1", "off": "0"} if high == 1 else {}
    number = re.fullmatch(r"\d{1,8}(\.\d{1,9})?", switches.get(word, word), re.ASCII)
    value = float(number[0]) if number else inf
    if not low <= value <= high or (axis != "offload" and value % 1):
        kind = "a number" if axis == "offload" else "a whole number"
        raise InputError(f"{axis} is {word!r}, but must be {kind} from {low:,.0f} to {high:,.0f}")
    return value
