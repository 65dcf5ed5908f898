"""The options that commands share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from plan3d.cli import completion, manual
from plan3d.cli.console import behave
from plan3d.cli.values import price, tokens, whole

QUESTION, LAYOUTS, WHOLE_RUN = "The question", "The layouts", "The whole run"
OUTPUT = manual.OUTPUT
"""The groups of options in a command's help."""


def _alone(wanted: bool) -> bool:
    """Draw no bars beside JSON."""
    if wanted:
        behave(bars=False)
    return wanted


def _markdown(path: Path | None) -> Path | None:
    """Refuse a name that promises another kind of report."""
    if path is not None and path.suffix.lower() != ".md":
        raise typer.BadParameter(f"{path}: this report is Markdown; end its name in .md")
    return path


_MODEL = typer.Option(
    metavar="NAME",
    help="A name (plan3d models), a Hugging Face config.json, or h=12288,l=96,a=96.",
    autocompletion=completion.models,
    rich_help_panel=QUESTION,
)
_GPUS = typer.Option(
    parser=whole,
    metavar="N",
    help="GPUs of the job, all of which are used.",
    rich_help_panel=QUESTION,
)
Model: TypeAlias = Annotated[str, _MODEL]
MaybeModel: TypeAlias = Annotated[str | None, _MODEL]
Gpus: TypeAlias = Annotated[int, _GPUS]
MaybeGpus: TypeAlias = Annotated[int | None, _GPUS]
Layout: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="AXIS=N,...",
        help="tp=8,pp=8,... [default: the best of all]",
        autocompletion=completion.axes,
        rich_help_panel=LAYOUTS,
    ),
]
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
Report: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write a full report: .html (one page), .md or .json.",
        rich_help_panel=OUTPUT,
    ),
]
Markdown: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE.md",
        callback=_markdown,
        help="Write the report as Markdown, too.",
        rich_help_panel=OUTPUT,
    ),
]
