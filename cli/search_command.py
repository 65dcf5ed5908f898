"""plan3d search: the best layouts of a model on a number of GPUs."""

from dataclasses import replace
from typing import Annotated, Final

import typer

from plan3d.cli import completion, files, options, report, values
from plan3d.cli.asking import asks
from plan3d.cli.deliver import deliver
from plan3d.cli.inputs import evaluator, forecast, player
from plan3d.cli.partition_report import inner_answer, inner_object, inner_table
from plan3d.cli.progress import doing
from plan3d.cli.question import Question
from plan3d.planner.constraints import parse_all
from plan3d.planner.exhaustive import search
from plan3d.planner.inner import search_inner
from plan3d.simulator.errors import InputError, NothingFeasibleError, unknown

SEARCHERS = ("exhaustive", "dp", "ilp")
SEARCH: Final = "The search"
"""A group of options."""

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    ("The best layouts of GPT-3 on 1,024 GPUs", "plan3d search --model gpt175b --gpus 1024"),
    (
        "Another cluster, sequence and batch",
        "plan3d search --model llama-3-70b --gpus 256 --hardware dgx-h100 --seq 8192 "
        "--global-batch 512",
    ),
    (
        "Only what torchtitan can run",
        "plan3d search --model llama-3-8b --gpus 64 --framework torchtitan",
    ),
    (
        "Only some layouts",
        "plan3d search --model gpt175b --gpus 1024 --fix tp=8 --limit 'pp<=16'",
    ),
    (
        "Fast or lean: the front of both, as JSON",
        "plan3d search --model gpt13b --gpus 64 --objective pareto --json",
    ),
    (
        "A model of your own, the report in a file",
        "plan3d search --model h=4096,l=32,a=32 --gpus 64 --report plan.md",
    ),
)


@command.command()
@asks()
def run(
    asked: Question,
    fix: options.Fix = None,
    limit: options.Limit = None,
    searcher: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="exhaustive; dp or ilp: exact stages and recomputation as well.",
            autocompletion=completion.one_of(*SEARCHERS),
            rich_help_panel=SEARCH,
        ),
    ] = SEARCHERS[0],
    objective: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="time, cost, memory, tokens-per-dollar or pareto.",
            autocompletion=completion.objectives,
            rich_help_panel=SEARCH,
        ),
    ] = "time",
    top: Annotated[
        int,
        typer.Option(
            parser=values.whole,
            metavar="N",
            help="How many plans to show.",
            rich_help_panel=SEARCH,
        ),
    ] = 5,
    prefer_safe: Annotated[
        bool,
        typer.Option(
            help="Of plans as fast as the best, the least likely to fail first.",
            rich_help_panel=SEARCH,
        ),
    ] = True,
    json: options.Json = False,
    csv: options.Csv = None,
    markdown: options.Markdown = None,
) -> None:
    """Find the best layouts of a model on a number of GPUs.

    Every legal layout is estimated, none of which needs a GPU. The answer is the best that fit in
    memory, with time, memory, cost and how sure they are, term by term; why the others stand
    where they stand; and everything that was assumed. What is not said is as published for the
    model.
    """
    files.check(csv, markdown)
    if searcher not in SEARCHERS:
        raise unknown("searcher", searcher, SEARCHERS)
    exact = searcher != SEARCHERS[0]
    if exact and (objective, asked.fidelity) != ("time", "analytical"):
        raise InputError(
            f"--searcher {searcher} minimises the analytical step time; leave out --objective "
            f"{objective} and --fidelity {asked.fidelity}, or use --searcher {SEARCHERS[0]}"
        )
    constraints = parse_all(fix, limit)
    with doing("looking at every layout") as told:
        result = search(
            asked.job,
            framework=asked.framework,
            objective=objective,
            top=top,
            constraints=constraints,
            evaluator=evaluator(asked),
            player=player(asked),
            forecast=forecast(asked),
            prefer_safe=prefer_safe,
            progress=told,
        )
    text, more = report.of_search(asked, result), {}
    if exact and result.plans:
        with doing("dividing layers among stages") as told:
            found = search_inner(
                asked.job,
                framework=asked.framework,
                searcher=searcher,
                constraints=constraints,
                first=[plan.layout for plan in result.plans],
                progress=told,
            )
        text = replace(
            text,
            answer=(*text.answer, *inner_answer(found, result.plans[0])),
            tables=(*text.tables, inner_table(found)),
        )
        more = {"inner": inner_object(found)}
    deliver(asked, result, text, json=json, csv=csv, markdown=markdown, more=more)
    if not result.plans:
        raise NothingFeasibleError(
            "no layout can be used: the answer says why, and what would help"
        )
