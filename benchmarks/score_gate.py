"""Which scores got worse than recorded, and whether the changelog says so.

`accuracy.py` records no such score, and tests/planner/validation/test_gate.py fails on one, unless
a line under Predictions in CHANGELOG.md names the suite and its new score:
``bloom`` 13.9 % -> 14.6 %.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

SLACK: Final = 0.5
"""Percentage points by which a suite may get worse without a word."""
STATED: Final = 0.1
"""Percentage points by which a stated score may be off."""
QUANTITIES: Final = {
    "time": "time", "unseen": "time", "memory": "memory", "unseen_memory": "memory",
}  # fmt: skip
"""The recorded scores by suite, and what a paragraph that excuses them is about."""


def excused(changelog: str, name: str, score: float, about: str = "time") -> bool:
    """Whether the last word under Predictions on `name` is that it now has this score.

    A paragraph that begins with Memory is about memory, any other about times. What an earlier
    change said does not count: a score that comes back is worse again.
    """
    said = "\n".join(re.findall(r"^\*\*Predictions\*\*$([\s\S]*?)(?=^## |\Z)", changelog, re.M))
    paragraphs = [
        text
        for text in re.split(r"\n\s*\n", said)
        if text.lstrip().startswith("Memory") == (about == "memory")
    ]
    named = re.findall(rf"`{re.escape(name)}`([^`]*)", "\n".join(paragraphs))
    found = [re.findall(r"-> (\d+(?:\.\d+)?) %", text) for text in named]
    last = next((scores for scores in reversed(found) if scores), [])
    return any(abs(float(text) - score) <= STATED for text in last)


def worse(recorded: Mapping[str, float], scores: Mapping[str, float]) -> dict[str, float]:
    """Return the suites that are worse than recorded, and those that are gone."""
    gone = {name: float("inf") for name in recorded.keys() - scores.keys()}
    return gone | {
        name: score
        for name, score in scores.items()
        if name in recorded and score > recorded[name] + SLACK
    }


def unsaid(
    recorded: Mapping[str, Any], scores: Mapping[str, Any], changelog: str
) -> dict[str, dict[str, float]]:
    """Return the suites that are worse than recorded without a word, by what is scored."""
    return {
        quantity: {
            name: round(score, 1)
            for name, score in worse(recorded[quantity], scores[quantity]).items()
            if not excused(changelog, name, score, about)
        }
        for quantity, about in QUANTITIES.items()
    }
