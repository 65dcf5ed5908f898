import math

import numpy as np
import pytest

from plan3d.planner.constraints import Constraint, allowed, fixed, parse_fix, parse_limit
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import FIELDS


@pytest.mark.parametrize(
    ("text", "axis", "value"),
    [
        ("tp=8", "tp", 8),
        (" pp == 16 ", "pp", 16),
        ("recompute=Full", "recompute", 2),
        ("schedule=1F1B", "schedule", 1),
        ("schedule=interleaved", "schedule", 2),
        ("sp=off", "sp", 0),
        ("zero=0", "zero", 0),
        ("offload=0.25", "offload", 0.25),
    ],
)
def test_fix(text: str, axis: str, value: float) -> None:
    assert parse_fix(text) == Constraint(axis=axis, low=value, high=value)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("pp<=16", -math.inf, 16),
        ("pp < 16", -math.inf, 15),
        ("pp>=2", 2, math.inf),
        ("pp>2", 3, math.inf),
    ],
)
def test_limit(text: str, low: float, high: float) -> None:
    assert parse_limit(text) == Constraint(axis="pp", low=low, high=high)


@pytest.mark.parametrize("text", ["tp=8", "recompute=selective", "schedule=1f1b", "sp=0"])
def test_a_constraint_reads_as_it_was_written(text: str) -> None:
    assert str(parse_fix(text)) == text
    assert str(parse_limit("pp<=16")) == "pp<=16"
    assert str(parse_limit("pp>=2")) == "pp>=2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tp", "write it like tp=8"),
        ("", "write it like tp=8"),
        ("tp=8,pp=8", "write it like tp=8"),
        ("tq=8", "did you mean tp"),
        ("tp=0", "a whole number from 1"),
        ("tp=-1", "a whole number from 1"),
        ("tp=1.5", "a whole number from 1"),
        ("tp=nan", "a whole number from 1"),
        ("tp=1e9", "a whole number from 1"),
        ("tp=on", "a whole number from 1"),
        ("zero=4", "from 0 to 3"),
        ("sp=2", "from 0 to 1"),
        ("offload=2", "a number from 0 to 1"),
        ("recompute=some", "no recompute 'some'"),
        ("schedule=doublepipe", "There are: 1f1b"),
    ],
)
def test_a_bad_fix_says_what_would_do(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_fix(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pp=16", "write it like pp<=16"),
        ("pp<=x", "write it like pp<=16"),
        ("tq<=8", "did you mean tp"),
        ("recompute<=2", "fix it instead: recompute="),
        ("sp<=1", "fix it instead: sp=1"),
        ("offload<=1", "fix it instead: offload=1"),
    ],
)
def test_a_bad_limit_says_what_would_do(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_limit(text)


def test_every_axis_can_be_fixed() -> None:
    for axis in FIELDS:
        word = {"recompute": "none", "schedule": "gpipe", "order": "tp-cp-ep-dp-pp"}.get(axis, "1")
        assert parse_fix(f"{axis}={word}").axis == axis


def test_allowed_keeps_what_every_constraint_keeps() -> None:
    limits = (parse_limit("pp>1"), parse_limit("pp<=4"), parse_fix("tp=8"))
    assert allowed(limits, "pp", np.array([1.0, 2, 4, 8])).tolist() == [False, True, True, False]
    assert allowed(limits, "dp", np.array([1.0])).all()
    assert fixed(limits, "tp", 1.0) == 8
    assert fixed(limits, "pp", 1.0) == 1
