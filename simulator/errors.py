"""What goes wrong because of the input, said once and clearly."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A value the user gave cannot be used: the message says what, the value, why, what works."""


class NothingFeasibleError(Exception):
    """The question was well put, but no layout answers it."""


def unknown(what: str, value: str, known: Iterable[str]) -> InputError:
    """Return the error for a name that is not among the known ones, nearest first.

    Examples
    --------
    >>> print(unknown("model", "gpt175", ["llama-7b", "gpt175b"]))
    no model 'gpt175'; did you mean gpt175b? There are: gpt175b, llama-7b
    """
    names = sorted(known)
    near = difflib.get_close_matches(value, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? There" if near else "there"
    return InputError(f"no {what} {value!r}; {hint} are: {', '.join(names)}")
