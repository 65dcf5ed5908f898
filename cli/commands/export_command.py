"""plan3d export: a plan in the words of a framework."""

from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from plan3d.cli import as_json, completion, files, options, values
from plan3d.cli.asking import WORK, Ask, offers
from plan3d.cli.console import say
from plan3d.cli.layout_option import read_layout
from plan3d.cli.plan_file import PlanFile, read_plan
from plan3d.cli.single import single
from plan3d.cli.sources import read_source
from plan3d.cli.words import as_option, spelled
from plan3d.planner import frameworks
from plan3d.planner.exports import EXPORTERS, Planned, export
from plan3d.planner.exports.export import exporter_named
from plan3d.simulator.errors import InputError

PLAN: Final = "The plan"

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
@offers(WORK)
def run(
    ask: Ask,
    to: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="megatron, megatron-bridge, nemo, deepspeed, torchtitan, torchtitan-toml, "
            "nanotron or fsdp2.",
            autocompletion=completion.one_of(*EXPORTERS),
            rich_help_panel=options.OUTPUT,
        ),
    ],
    plan: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.json",
            help="What --json of search or estimate wrote; - reads.",
            rich_help_panel=PLAN,
        ),
    ] = None,
    rank: Annotated[
        int | None,
        typer.Option(
            parser=values.whole,
            metavar="N",
            help="Which of its plans. [default: 1]",
            rich_help_panel=PLAN,
        ),
    ] = None,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            help="The exact stages of search --searcher dp instead.",
            rich_help_panel=PLAN,
        ),
    ] = False,
    model: options.MaybeModel = None,
    gpus: options.MaybeGpus = None,
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS=N,...",
            help="tp=8,pp=8,...: without a plan.",
            autocompletion=completion.axes,
            rich_help_panel=options.LAYOUTS,
        ),
    ] = None,
    hardware: options.Hardware = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write there instead of on stdout.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Write a plan as the flags or the configuration of a framework."""
    files.new(out)
    exporter = exporter_named(to)
    asked = partial(ask, model=model, gpus=gpus)
    if plan is not None:
        if layout is not None or any(said is not None for said in asked.keywords.values()):
            raise InputError(
                "--plan says model, GPUs, layout and what a step works on; leave out the others, "
                "or --plan"
            )
        if exact and rank is not None:
            raise InputError("--exact has one layout; leave out --rank, or --exact")
        found = read_plan(read_source(plan, "a plan"))
    elif exact or rank is not None:
        raise InputError("--rank and --exact choose of a plan; give --plan FILE.json")
    elif model and gpus and layout is not None:
        whole = asked(hardware=hardware, framework=exporter.framework)
        runner = frameworks.named(exporter.framework)
        result = single(whole, read_layout(layout, whole.job, runner), runner)
        found = PlanFile(values=as_json.of_search(whole, result))
    else:
        raise InputError("give --plan FILE.json, or --model, --gpus and --layout")
    planned = found.exact(hardware) if exact else found.planned(rank or 1, hardware)
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
