"""Values that somebody else wrote, read by name; what nothing asks for is kept."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from plan3d.simulator.errors import InputError

_OFF = ("false", "0", "none")
MOST = 10**9
"""No whole number in a configuration is larger: more is a slip, or mischief."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Values by name, and which names somebody asked for."""

    values: Mapping[str, Any]
    wanted: set[str] = field(default_factory=set)

    def has(self, name: str) -> bool:
        """Return whether something is said about a name: null says nothing."""
        self.wanted.add(name)
        return self.values.get(name) is not None

    def whole(self, *names: str, least: int = 1) -> int | None:
        """Return the whole number of the first of the names that is given.

        Raises
        ------
        InputError
            If it is something else.
        """
        for name in names:
            if not self.has(name):
                continue
            value = self.values[name]
            text = str(value)
            if isinstance(value, bool) or not re.fullmatch(r"\d{1,10}", text, re.ASCII):
                unset = " (a variable that is not set here)" if text.startswith("$") else ""
                raise InputError(
                    f"{name} is {text!r:.60}{unset}, but must be a whole number; put the number "
                    f"there"
                )
            if not least <= int(text) <= MOST:
                raise InputError(
                    f"{name} is {text}, but must be a whole number from {least} to {MOST:,}"
                )
            return int(text)
        return None

    def word(self, *names: str) -> str | None:
        """Return the text of the first of the names that is given."""
        for name in names:
            if self.has(name):
                return str(self.values[name])
        return None

    def number(self, name: str) -> float | None:
        """Return a number from 0 to 1."""
        text = self.word(name)
        if text is None:
            return None
        if not re.fullmatch(r"[01]|[01]?\.\d+", text, re.ASCII) or float(text) > 1:
            raise InputError(f"{name} is {text!r:.60}, but must be a number from 0 to 1")
        return float(text)

    def on(self, *names: str) -> bool:
        """Return whether one of some switches is there, and not said to be off."""
        said = [self.word(name) for name in names]
        return any(word is not None and word.lower() not in _OFF for word in said)

    def choice(self, name: str, choices: Mapping[str, Any], default: Any) -> Any:
        """Return what the word of a name stands for."""
        text = self.word(name)
        if text is None:
            return default
        if text.lower() not in choices:
            raise InputError(f"{name} is {text!r:.60}, but must be one of {', '.join(choices)}")
        return choices[text.lower()]

    def ignore(self, names: Iterable[str]) -> None:
        """Count names as read: they are known, and have no part in a layout."""
        self.wanted.update(names)

    def recognised(self, what: str) -> None:
        """Refuse values of which nobody asked for any.

        Raises
        ------
        InputError
            If so: the text is something else.
        """
        if not any(self.values.get(name) is not None for name in self.wanted):
            raise InputError(f"nothing in it is known: this is no {what}")

    @property
    def unused(self) -> tuple[str, ...]:
        """What nobody asked for, as written, and the name that a slip may have meant."""
        free = [name for name in self.wanted if name not in self.values]
        lines = []
        for name, value in self.values.items():
            if name in self.wanted or value is None:
                continue
            near = difflib.get_close_matches(name, free, n=1, cutoff=0.85)
            hint = f" (did you mean {near[0]}?)" if near else ""
            lines.append((name if value is True else f"{name} {value}") + hint)
        return tuple(lines)
