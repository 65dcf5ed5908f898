"""What the shell completes as the value of an option; names are looked up when Tab is pressed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Final, TypeAlias

Completer: TypeAlias = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word that a shell offers, as typer's formatters read it."""

    value: str
    help: str
    type: str = "plain"


def one_of(*words: str) -> Completer:
    """Return a completer of these words."""

    def complete(incomplete: str) -> list[str]:
        return _starting(words, incomplete)

    return complete


def named_in(module: str, name: str) -> Completer:
    """Return a completer of the names that the library has: a table, or a function of none."""

    def complete(incomplete: str) -> list[str]:
        found = getattr(import_module(f"plan3d.{module}"), name)
        return _starting(found() if callable(found) else found, incomplete)

    return complete


models: Final = named_in("planner.models", "names")
clusters: Final = named_in("hardware_profiles", "names")
frameworks: Final = named_in("planner.frameworks", "FRAMEWORKS")
objectives: Final = named_in("planner.objectives", "OBJECTIVES")
optimizers: Final = named_in("simulator.workload", "OPTIMIZERS")
precisions: Final = named_in("simulator.workload", "PRECISIONS")
schedules: Final = named_in("simulator.schedules.table", "BUILDERS")


def axes(incomplete: str) -> list[str]:
    """Complete an axis of ``tp=8,pp=...``: what stands before the last comma stays."""
    before, comma, axis = incomplete.rpartition(",")
    names = import_module("plan3d.simulator.layout").FIELDS
    return [f"{before}{comma}{name}=" for name in _starting(names, axis)]


def _starting(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
