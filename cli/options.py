"""The options that commands share, and how their values are read."""

import re
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from plan3d.cli import completion
from plan3d.cli.console import behave

QUESTION, LAYOUTS, WHOLE_RUN, OUTPUT = "The question", "The layouts", "The whole run", "Output"
"""The groups of options in a command's help."""
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


def _alone(wanted: bool) -> bool:
    """Draw no bars beside JSON."""
    if wanted:
        behave(bars=False)
    return wanted


Model: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="A name (plan3d models), a Hugging Face config.json, or h=12288,l=96,a=96.",
        autocompletion=completion.models,
        rich_help_panel=QUESTION,
    ),
]
Gpus: TypeAlias = Annotated[
    int,
    typer.Option(
        parser=whole, metavar="N", help="GPUs of the job, all of which are used.",
        rich_help_panel=QUESTION,
    ),
]  # fmt: skip
Hardware: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A cluster (plan3d hardware) or a TOML file. [default: the model's]",
        autocompletion=completion.clusters,
        rich_help_panel=QUESTION,
    ),
]
Seq: TypeAlias = Annotated[
    int | None,
    typer.Option(
        parser=whole, metavar="N", help="Tokens of a sequence. [default: the model's]",
        rich_help_panel=QUESTION,
    ),
]  # fmt: skip
GlobalBatch: TypeAlias = Annotated[
    int | None,
    typer.Option(
        parser=whole, metavar="N", help="Sequences of a step. [default: the model's]",
        rich_help_panel=QUESTION,
    ),
]  # fmt: skip
Precision: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="bf16, fp16, fp8, fp32, ... [default: the model's]",
        autocompletion=completion.precisions,
        rich_help_panel=QUESTION,
    ),
]
Optimizer: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="adam, sgd, ... [default: the model's]",
        autocompletion=completion.optimizers,
        rich_help_panel=QUESTION,
    ),
]
Framework: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Only what it can run: megatron, nemo, torchtitan, deepspeed, nanotron.",
        autocompletion=completion.frameworks,
        rich_help_panel=LAYOUTS,
    ),
]
LayoutText: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="AXIS=N,...",
        help="tp=8,pp=8,...: dp, shard, sp and schedule follow if left out.",
        autocompletion=completion.axes,
        rich_help_panel=LAYOUTS,
    ),
]
Fidelity: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="analytical, or textbook: the closed forms of the papers.",
        autocompletion=completion.one_of("analytical", "textbook"),
        rich_help_panel=QUESTION,
    ),
]
Fix: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="AXIS=N",
        help="Only such layouts: tp=8.",
        autocompletion=completion.axes,
        rich_help_panel=LAYOUTS,
    ),
]
Limit: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="AXIS<=N", help="Only up to this: pp<=16.", rich_help_panel=LAYOUTS),
]
Tokens: TypeAlias = Annotated[
    float | None,
    typer.Option(
        parser=tokens, metavar="N", help="Training tokens, such as 300B: days and cost.",
        rich_help_panel=WHOLE_RUN,
    ),
]  # fmt: skip
Price: TypeAlias = Annotated[
    float | None,
    typer.Option(
        parser=price, metavar="USD", help="Rent of one GPU for an hour, in USD.",
        rich_help_panel=WHOLE_RUN,
    ),
]  # fmt: skip
Json: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", help="Print JSON (docs/json.md) and nothing else.", callback=_alone,
        rich_help_panel=OUTPUT,
    ),
]  # fmt: skip
Csv: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the plans as CSV, too.", rich_help_panel=OUTPUT),
]
Markdown: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE.md", help="Write the report as Markdown, too.",
        rich_help_panel=OUTPUT,
    ),
]  # fmt: skip
