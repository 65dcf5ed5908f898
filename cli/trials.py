"""The options of searches that try layouts one by one, and what they mean together."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from plan3d.cli import values
from plan3d.simulator.errors import InputError

SAMPLING = "Searchers that sample"
"""The group of their options."""


def seed(value: str | int) -> int:
    """Read the seed of a random generator."""
    if not re.fullmatch(r"\d{1,10}", str(value), re.ASCII) or int(value) >= 2**32:
        raise typer.BadParameter(f"{value!r} is not a whole number from 0 to 4,294,967,295")
    return int(value)


Budget: TypeAlias = Annotated[
    int | None,
    typer.Option(
        parser=values.whole,
        metavar="N",
        help="Trials of a searcher that samples. [default: 100]",
        rich_help_panel=SAMPLING,
    ),
]
Seed: TypeAlias = Annotated[
    int | None,
    typer.Option(
        parser=seed,
        metavar="N",
        help="Of what it draws at random. [default: 0]",
        rich_help_panel=SAMPLING,
    ),
]
Storage: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|URL",
        help="Keep and share its trials: SQLite file, journal file (.log) or postgresql://...",
        rich_help_panel=SAMPLING,
    ),
]
Events: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--events",
        help="Play the pipeline of every trial, instead of the closed form.",
        rich_help_panel=SAMPLING,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """How many, drawn how, kept where, by which model."""

    budget: int | None
    seed: int | None
    storage: str | None
    events: bool

    @property
    def file(self) -> Path | None:
        """The file that keeps them, if one does."""
        return Path(self.storage) if self.storage and "://" not in self.storage else None

    def check(self, searcher: str, *, samples: bool, fidelity: str) -> None:
        """Refuse options that a searcher would not heed."""
        said = {
            "--budget": self.budget, "--seed": self.seed, "--storage": self.storage,
            "--events": self.events or None,
        }  # fmt: skip
        ignored = [option for option, value in said.items() if value is not None]
        if not samples and ignored:
            raise InputError(
                f"--searcher {searcher} looks at every layout and takes no {ignored[0]}; leave it "
                "out, or use a searcher that samples, such as --searcher bayesian"
            )
        if samples and fidelity == "textbook":
            raise InputError(
                f"--searcher {searcher} tries layouts by the analytical model or the event "
                "simulation; leave out --fidelity textbook"
            )
