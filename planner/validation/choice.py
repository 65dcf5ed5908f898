"""A value for a field of a run, and whether the source gave it."""

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Choice(NamedTuple, Generic[T]):
    """A value, and what was assumed to get it: empty where the source states the value."""

    value: T
    assumed: tuple[str, ...] = ()


class SkipError(Exception):
    """A run that cannot be expressed; the message is the reason, the same for all such runs.

    Parameters
    ----------
    reason
        The message.
    particulars
        Columns and values of this run, if they contradict each other.
    """

    def __init__(self, reason: str, particulars: str = "") -> None:
        super().__init__(reason)
        self.particulars = particulars
