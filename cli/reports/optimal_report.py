"""What `plan3d optimal` shows, and the object that it prints with ``--json``."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from plan3d.cli.report import Report, Table
from plan3d.cli.words import short
from plan3d.simulator.scaling_laws import Optimum


def report(flop: float, grounds: str, found: Sequence[Optimum]) -> Report:
    """Report what the laws make of a budget."""
    return Report(
        answer=(f"{flop:.3g} FLOP" + (f": {grounds}" if grounds else ""),),
        tables=(
            Table(
                title="Compute-optimal",
                head=("law", "parameters", "tokens", "tokens per parameter"),
                rows=tuple(
                    (
                        one.law,
                        short(one.params),
                        short(one.tokens),
                        f"{one.tokens_per_parameter:.3g}",
                    )
                    for one in found
                ),
            ),
        ),
        grounds=(
            "chinchilla: 20 tokens per parameter (Hoffmann et al., arXiv:2203.15556)",
            "kaplan: parameters grow as C^0.73 (Kaplan et al., arXiv:2001.08361); embeddings left "
            "out",
            "6 N D FLOP; a model that is served much is trained longer than either says",
        ),
    )


def as_object(flop: float, found: Sequence[Optimum]) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""
    return {
        "flop": flop,
        "optima": [
            asdict(one) | {"tokens_per_parameter": one.tokens_per_parameter} for one in found
        ],
    }
