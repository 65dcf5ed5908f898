"""The options that commands share, and how their values are read."""

import re
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

_SCALES = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_DURATIONS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def whole(value: str | int) -> int:
    """Read a whole number from 1 to 10 million; a default is one already."""
    text = str(value)
    if not re.fullmatch(r"\d{1,8}", text, re.ASCII) or not 1 <= int(text) <= 10**6:
        raise typer.BadParameter(f"{text!r} is not a whole number from 1 to 1,000,000")
    return int(text)


def tokens(text: str) -> float:
    """Read a number of tokens: 300B, 1.5T, 3e11."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?(?:e\d{1,2})?) ?([KMBT]?)", text.strip(), re.I | re.ASCII)
    value = float(match[1]) * _SCALES[match[2].upper()] if match else 0.0
    if not 1 <= value <= 1e18:
        raise typer.BadParameter(f"{text!r} is not a number of tokens; give one such as 300B")
    return value


def price(text: str) -> float:
    """Read a price in USD per GPU and hour."""
    if not re.fullmatch(r"\d{1,6}(\.\d*)?", text, re.ASCII):
        raise typer.BadParameter(f"{text!r} is not a price in USD per hour; give one such as 2.50")
    return float(text)


def duration(text: str | float) -> float:
    """Read a time such as 90s, 5m or 1h, from a second to a week [s]."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d+)?) ?(s|m|min|h)", str(text), re.ASCII)
    seconds = float(match[1]) * _DURATIONS[match[2]] if match else 0.0
    if not 1 <= seconds <= 7 * 86_400:
        raise typer.BadParameter(f"{text!r} is not a time; give one such as 90s, 5m or 1h")
    return seconds


Model: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="A name (plan3d models), a Hugging Face config.json, or h=12288,l=96,a=96.",
    ),
]
Gpus: TypeAlias = Annotated[
    int, typer.Option(parser=whole, metavar="N", help="GPUs of the job, all of which are used.")
]
Hardware: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="A cluster (plan3d hardware) or a TOML file. [default: the model's]"
    ),
]
Seq: TypeAlias = Annotated[
    int | None,
    typer.Option(parser=whole, metavar="N", help="Tokens of a sequence. [default: the model's]"),
]
GlobalBatch: TypeAlias = Annotated[
    int | None,
    typer.Option(parser=whole, metavar="N", help="Sequences of a step. [default: the model's]"),
]
Precision: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="bf16, fp16, fp8, fp32, ... [default: the model's]"),
]
Optimizer: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="adam, sgd, ... [default: the model's]")
]
Framework: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Only what it can run: megatron, nemo, torchtitan, deepspeed, nanotron.",
    ),
]
Tokens: TypeAlias = Annotated[
    float | None,
    typer.Option(parser=tokens, metavar="N", help="Training tokens, such as 300B: days and cost."),
]
Price: TypeAlias = Annotated[
    float | None,
    typer.Option(parser=price, metavar="USD", help="Rent of one GPU for an hour, in USD."),
]
Fidelity: TypeAlias = Annotated[
    str,
    typer.Option(metavar="NAME", help="analytical, or textbook: the closed forms of the papers."),
]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON (docs/json.md) and nothing else.")
]
Csv: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the plans as CSV, too.")
]
Report: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE", help="Write a full report: .html (one page), .md or .json."
    ),
]
