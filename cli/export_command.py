"""plan3d export: a plan in the words of a framework."""

from pathlib import Path
from typing import Annotated, Final

import typer

from plan3d.cli import as_json, files, options, values
from plan3d.cli.console import say
from plan3d.cli.inputs import question
from plan3d.cli.layout_option import read_layout
from plan3d.cli.plan_file import PlanFile, read_plan
from plan3d.cli.single import single
from plan3d.cli.sources import read_source
from plan3d.cli.words import as_option, spelled
from plan3d.planner import frameworks
from plan3d.planner.exports import Planned, export
from plan3d.planner.exports.export import exporter_named
from plan3d.simulator.errors import InputError

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "The best plan as a launch script of Megatron-LM",
        "plan3d export --model gpt13b --gpus 64 --layout tp=2,pp=2,zero=1 --to megatron",
    ),
    (
        "A plan of a file, the second best, as DeepSpeed's JSON",
        "plan3d export --plan ./plan.json --rank 2 --to deepspeed --out ds.json",
    ),
)


@command.command()
def run(
    to: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="megatron, megatron-bridge, nemo, deepspeed, torchtitan, torchtitan-toml, "
            "nanotron or fsdp2.",
        ),
    ],
    plan: Annotated[
        str | None,
        typer.Option(metavar="FILE.json", help="What --json of search or estimate wrote; - reads."),
    ] = None,
    rank: Annotated[
        int, typer.Option(parser=values.whole, metavar="N", help="Which of its plans.")
    ] = 1,
    exact: Annotated[
        bool, typer.Option("--exact", help="The exact stages of search --searcher dp instead.")
    ] = False,
    model: options.MaybeModel = None,
    gpus: options.MaybeGpus = None,
    layout: Annotated[str, typer.Option(help="tp=8,pp=8,...: without a plan.")] = "",
    hardware: options.Hardware = None,
    seq: options.Seq = None,
    global_batch: options.GlobalBatch = None,
    precision: options.Precision = None,
    optimizer: options.Optimizer = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of on stdout.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
    json: options.Json = False,
) -> None:
    """Write a plan as the flags or the configuration of a framework."""
    files.check(out)
    if out is not None and out.exists() and not force:
        raise InputError(f"{out} exists already; give --force to replace it, or another name")
    exporter = exporter_named(to)
    if plan is not None:
        if model or gpus or layout:
            raise InputError("--plan says model, GPUs and layout; leave out the others, or --plan")
        found = read_plan(read_source(plan, "a plan"))
    elif model and gpus and layout:
        asked = question(
            model=model, gpus=gpus, hardware=hardware, seq=seq, global_batch=global_batch,
            precision=precision, optimizer=optimizer, framework=exporter.framework,
        )  # fmt: skip
        runner = frameworks.named(exporter.framework)
        moe = asked.job.model.experts is not None
        chosen = read_layout(layout, gpus, asked.job.software, runner, moe=moe)
        result = as_json.of_search(asked, single(asked, chosen, runner))
        found = PlanFile(values=result)
    else:
        raise InputError("give --plan FILE.json, or --model, --gpus and --layout")
    planned = found.exact(hardware) if exact else found.planned(rank, hardware)
    _deliver(to, planned, out, json=json)


def _deliver(to: str, planned: Planned, out: Path | None, *, json: bool) -> None:
    written = export(to, planned)
    for text in written.cannot:
        say(f"plan3d: {to} has no words for {text}", error=True)
    if out is not None:
        files.write(out, written.text)
    if json:
        said = {
            "to": to,
            "text": written.text,
            "cannot": written.cannot,
            "layout": spelled(written.layout),
            "layout_option": as_option(written.layout),
        }
        say(as_json.dumps(said))
    elif out is None:
        say(written.text.rstrip("\n"))
