"""The large figures: by hand from a step of 2 s that trains a day."""

from dataclasses import replace

import pytest

from plan3d.cli.html.headline import headline
from plan3d.cli.question import Question
from plan3d.planner.result import Interval, Outlook, Plan

GIB = 2.0**30


def sure(out_of_memory: float) -> Outlook:
    return Outlook(
        regime="plain", suites=10, inflation=1.0, step_time_s=Interval(low=1.0, high=4.0),
        memory_bytes=Interval(low=30 * GIB, high=60 * GIB), out_of_memory=out_of_memory,
    )  # fmt: skip


def test_by_hand(question: Question, plan: Plan) -> None:
    """16 GPUs at 2 USD an hour for a day are 768 USD; half to twice that in 90 %."""
    found = {one.label: one for one in headline(question, replace(plan, outlook=sure(0.05)))}
    assert (found["Days"].value, found["Days"].note) == ("1.0", "0.5 to 2.0 in 90 %")
    assert (found["US dollars"].value, found["US dollars"].note) == ("768", "384 to 1.54 k in 90 %")
    assert (found["Step"].value, found["Step"].note) == ("2 s", "1-4 s in 90 %")
    assert (found["MFU"].value, found["MFU"].note) == ("50.0 %", "1,024 tokens/s per GPU")
    assert found["Memory"].value == "fits"
    assert found["Memory"].note == "40.0 of 80.0 GiB; 5 % likely to run out"
    assert not any(one.bad for one in found.values())


def test_without_tokens_or_intervals(question: Question, plan: Plan) -> None:
    found = {one.label: one for one in headline(replace(question, tokens=None), plan)}
    assert list(found) == ["Step", "MFU", "Memory"]
    assert found["Step"].note == ""


@pytest.mark.parametrize(("chance", "value"), [(0.09, "fits"), (0.1, "tight")])
def test_what_is_likely_to_run_out_does_not_just_fit(
    question: Question, plan: Plan, chance: float, value: str
) -> None:
    *_, memory = headline(question, replace(plan, outlook=sure(chance)))
    assert (memory.value, memory.bad) == (value, value != "fits")


def test_what_does_not_fit(question: Question, miss: Plan) -> None:
    *_, memory = headline(question, miss)
    assert (memory.value, memory.bad) == ("does not fit", True)
