"""plan3d import: the layout of a job that somebody runs already."""

import shlex
from typing import Annotated, Any, Final

import typer

from plan3d.cli import as_json, completion, options
from plan3d.cli.console import say
from plan3d.cli.sources import is_file, read_source
from plan3d.cli.words import as_option, spelled
from plan3d.planner import models
from plan3d.planner.imports import READERS, Asked, Imported, read

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "The layout of a launch command, and how to ask about it",
        "plan3d import --from megatron 'torchrun --nproc-per-node 8 pretrain_gpt.py "
        "--tensor-model-parallel-size 8 --micro-batch-size 1 --global-batch-size 512 "
        "--num-layers 40 --hidden-size 5120 --num-attention-heads 40 --seq-length 2048'",
    ),
    (
        "A configuration file",
        "plan3d import --from torchtitan-toml ./train.toml --gpus 64",
    ),
)


@command.command()
def run(
    source: Annotated[
        str,
        typer.Argument(help="The launch command as one word ('...'), a file, or - for stdin."),
    ],
    framework: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="NAME",
            help="megatron, megatron-bridge, nemo, deepspeed, torchtitan, torchtitan-toml or "
            "nanotron.",
            autocompletion=completion.one_of(*READERS),
            rich_help_panel=options.QUESTION,
        ),
    ],
    model: options.MaybeModel = None,
    gpus: options.MaybeGpus = None,
    hardware: options.Hardware = None,
    json: options.Json = False,
) -> None:
    """Read the layout of a job from its launch command or configuration."""
    layers = models.resolve(model).model.layers if model else None
    found = read(framework, _text(source), Asked(gpus=gpus, layers=layers))
    said = as_object(found, model, hardware)
    if json:
        say(as_json.dumps(said))
        return
    lines = [
        f"Layout: {said['layout_option']}",
        f"GPUs: {said['gpus']:,}, global batch {found.global_batch:,}",
        f"Model: {said['model'] or 'not said: give --model'}",
        "",
        "Ask about it:",
        f"  {said['estimate']}",
    ]
    if found.unused:
        lines += ["", "Not used, because no layout depends on it or it is not known:"]
        lines += [f"  {text}" for text in found.unused]
    lines += ["", *(f"- {text}" for text in found.assumed)] if found.assumed else []
    say("\n".join(lines))


def as_object(found: Imported, model: str | None, hardware: str | None) -> dict[str, Any]:
    """Return the object that ``--json`` prints; docs/json.md says what each field means."""
    layout = found.layout
    option = as_option(layout)
    if found.moe and layout.tp > 1 and ",etp=" not in option:
        option += f",etp={layout.etp}"  # tp if left out, in some frameworks
    shape = model or found.model
    return {
        "framework": found.framework,
        "layout": spelled(layout),
        "layout_option": option,
        "gpus": layout.gpus,
        "model": shape,
        "seq": found.seq,
        "global_batch": found.global_batch,
        "precision": found.precision,
        "optimizer": found.optimizer,
        "unused": found.unused,
        "assumed": found.assumed,
        "estimate": _estimate(found, option, shape, hardware),
    }


def _estimate(found: Imported, option: str, model: str | None, hardware: str | None) -> str:
    """Return the command that asks about the job."""
    given = {
        "model": model or "MODEL",
        "gpus": found.layout.gpus,
        "layout": option,
        "hardware": hardware,
        "seq": found.seq,
        "global-batch": found.global_batch,
        "precision": found.precision,
        "optimizer": found.optimizer,
        "framework": found.framework,
    }
    said = " ".join(f"--{k} {shlex.quote(str(v))}" for k, v in given.items() if v is not None)
    return f"plan3d estimate {said}"


def _text(source: str) -> str:
    """Return a launch command, or what the file that is named holds."""
    words = source != "-" and (any(c.isspace() for c in source) or source.startswith("-"))
    if words and not is_file(source):
        return source
    return read_source(source, "a launch command or a configuration")
