"""Read the layout of `--layout tp=8,pp=8,...`."""

import re
from enum import IntEnum
from typing import Final

from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.layout import FIELDS, Layout, Order, Recompute, Schedule
from plan3d.simulator.software import Software

_ALIASES: Final = {"mb": "micro_batch", "mbs": "micro_batch", "micro-batch": "micro_batch"}
_NAMED: Final[dict[str, type[IntEnum]]] = {
    "recompute": Recompute,
    "schedule": Schedule,
    "order": Order,
}
_WORDS: Final = {"1f1b": "one_f_one_b", "on": "1", "off": "0", "true": "1", "false": "0"}


def read_layout(text: str, gpus: int, software: Software) -> Layout:
    """Return the layout that a text describes.

    What it leaves out follows from the rest: dp from the GPUs, the schedule from vpp, shard from
    zero, sequence parallelism from the software's default.
    """
    given: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (word.strip() for word in part.partition("="))
        name = _ALIASES.get(name, name)
        if not equals:
            raise InputError(f"--layout: {part!r} is not AXIS=VALUE; write it like tp=8,pp=8")
        if name not in FIELDS:
            raise unknown("layout axis", name, FIELDS)
        if name in given:
            raise InputError(f"--layout: {name} is given twice")
        given[name] = _value(name, value)
    others = given.get("tp", 1) * given.get("pp", 1) * given.get("cp", 1)
    given.setdefault("dp", max(1, gpus // max(1, int(others))))
    if given.get("zero"):
        given.setdefault("shard", given["dp"] * given.get("cp", 1))
    given.setdefault("sp", int(software.sp_default and given.get("tp", 1) > 1))
    if given.get("vpp", 1) > 1:
        given.setdefault("schedule", Schedule.INTERLEAVED)
    return Layout(**given)  # type: ignore[arg-type]


def _value(name: str, text: str) -> float:
    """Return the number, or the member of an enumeration."""
    word = _WORDS.get(text.lower(), text.lower())
    if name in _NAMED:
        members = {member.name.lower(): member for member in _NAMED[name]}
        if word not in members:
            raise unknown(f"{name}", text, members)
        return members[word]
    if name == "offload" and re.fullmatch(r"[01]?(\.\d{1,9})?", word, re.ASCII) and word:
        return float(word)
    if not re.fullmatch(r"\d{1,8}", word, re.ASCII):
        raise InputError(f"--layout: {name} is {text!r}, but must be a whole number")
    return int(word)
