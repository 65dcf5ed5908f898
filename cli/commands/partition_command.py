"""plan3d partition: which layers each pipeline stage gets, and what they recompute."""

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Annotated, Final, TypeAlias

import typer

from plan3d.cli import as_json, completion, files, options, values
from plan3d.cli.asking import STEP, asks
from plan3d.cli.console import say
from plan3d.cli.layer_table import read_layers, write_layers
from plan3d.cli.layout_option import read_layout
from plan3d.cli.progress import doing
from plan3d.cli.question import Question
from plan3d.cli.render import show
from plan3d.cli.reports import partition_report
from plan3d.planner import frameworks
from plan3d.planner.partition.compare import SEARCHERS, compare
from plan3d.planner.partition.from_job import check_layout, partition_problem
from plan3d.planner.partition.ilp import TIME_LIMIT_S
from plan3d.planner.partition.problem import Coupling
from plan3d.simulator.errors import InputError, unknown

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "The best stages of Llama 3.1 405B",
        "plan3d partition --model llama-3.1-405b --gpus 8192 --layout tp=8,pp=16,cp=2",
    ),
    (
        "At most two kinds of stages, with chunks, by the integer program",
        "plan3d partition --model gpt13b --gpus 64 --tp 2 --pp 4 --vpp 2 --max-kinds 2 "
        "--searcher ilp",
    ),
    (
        "The costs of the layers as a table, to be edited and given to --table",
        "plan3d partition --model gpt13b --gpus 64 --tp 2 --pp 4 --csv layers.csv",
    ),
)

COUPLINGS = ("one-recompute",)
SEARCH: Final = "The search"
"""A group of options."""

Degree: TypeAlias = Annotated[
    int | None,
    typer.Option(
        parser=values.whole, metavar="N", help="As in --layout.", rich_help_panel=options.LAYOUTS
    ),
]


@command.command()
@asks(STEP)
def run(
    asked: Question,
    layout: options.LayoutText = "",
    tp: Degree = None,
    pp: Degree = None,
    vpp: Degree = None,
    searcher: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="dp, or ilp: also for vpp > 1 and --max-kinds. [default: what can]",
            autocompletion=completion.one_of(*SEARCHERS),
            rich_help_panel=SEARCH,
        ),
    ] = None,
    time_limit: Annotated[
        float,
        typer.Option(
            min=0.0,
            metavar="S",
            help="Seconds that the ILP's solver may take.",
            rich_help_panel=SEARCH,
        ),
    ] = TIME_LIMIT_S,
    couple: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="one-recompute: one recompute setting for all stages.",
            autocompletion=completion.one_of(*COUPLINGS),
            rich_help_panel=SEARCH,
        ),
    ] = None,
    max_kinds: Annotated[
        int | None,
        typer.Option(
            parser=values.whole,
            metavar="K",
            help="At most K different stages.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Layers as measured (docs/partition.md).",
            rich_help_panel=options.QUESTION,
        ),
    ] = None,
    json: options.Json = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the layers as --table takes them.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
) -> None:
    """Find the best layers of each pipeline stage of one layout.

    And what each layer recomputes: exactly, by dynamic programming or an integer program, beside
    the even split and beside the best that the framework can express, with its options.
    """
    files.new(csv)
    if couple not in (None, *COUPLINGS):
        raise unknown("coupling", str(couple), COUPLINGS)
    runner = frameworks.named(asked.framework)
    short = [f"{k}={v}" for k, v in (("tp", tp), ("pp", pp), ("vpp", vpp)) if v is not None]
    chosen = read_layout(",".join(filter(None, [layout, *short])), asked.job, runner)
    check_layout(asked.job, chosen, runner)
    problem = partition_problem(asked.job, chosen)
    if table is not None:
        layers = read_layers(table)
        if len(layers) != len(problem.layers):
            raise InputError(
                f"{table} has {len(layers)} layers, but {asked.job.model.name} has "
                f"{len(problem.layers)}; give one row per layer"
            )
        problem = replace(problem, layers=layers)
    if csv is not None:
        files.write(csv, as_json.to_csv(write_layers(problem.layers)))
    coupling = Coupling(one_recompute=couple is not None, max_kinds=max_kinds)
    started_s = perf_counter()
    with doing("dividing layers among stages"):
        found = compare(
            problem, runner, searcher=searcher, coupling=coupling, time_limit_s=time_limit
        )
    elapsed_s = perf_counter() - started_s
    if json:
        say(as_json.dumps(partition_report.as_object(asked, chosen, found, elapsed_s)))
    else:
        show(partition_report.report(asked, chosen, found, elapsed_s))
