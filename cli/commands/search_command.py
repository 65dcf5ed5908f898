"""plan3d search: the best layouts of a model on a number of GPUs."""

from dataclasses import replace
from typing import Annotated, Any, Final

import typer

from plan3d.cli import completion, files, options, report, values
from plan3d.cli.asking import asks
from plan3d.cli.deliver import check, deliver, deliver_full
from plan3d.cli.inputs import evaluator, forecast, player
from plan3d.cli.progress import doing
from plan3d.cli.question import Question, asking
from plan3d.cli.reports.partition_report import inner_answer, inner_object, inner_table
from plan3d.cli.trials import Budget, Events, Seed, Storage, Trials
from plan3d.planner.constraints import parse_all
from plan3d.planner.exhaustive import PLAYED, search
from plan3d.planner.inner import search_inner
from plan3d.planner.searchers.search import BUDGET, search_with
from plan3d.planner.searchers.table import SEARCHERS as SAMPLING
from plan3d.simulator.errors import InputError, NothingFeasibleError, unknown

SEARCHERS = ("exhaustive", "dp", "ilp")
"""Those that look at every layout."""
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
            help="exhaustive; dp or ilp: exact stages and recomputation as well; "
            "or one that samples: bayesian, residual, ... (docs/searchers.md).",
            autocompletion=completion.one_of(*SEARCHERS, *SAMPLING),
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
    budget: Budget = None,
    seed: Seed = None,
    storage: Storage = None,
    events: Events = False,
    prefer_safe: Annotated[
        bool,
        typer.Option(
            help="Of plans as fast as the best, the least likely to fail first.",
            rich_help_panel=SEARCH,
        ),
    ] = True,
    json: options.Json = False,
    csv: options.Csv = None,
    full: options.Report = None,
) -> None:
    """Find the best layouts of a model on a number of GPUs.

    Every legal layout is estimated, none of which needs a GPU. The answer is the best that fit in
    memory, with time, memory, cost and how sure they are, term by term; why the others stand
    where they stand; and everything that was assumed. What is not said is as published for the
    model.
    """
    check(csv, full)
    if searcher not in (*SEARCHERS, *SAMPLING):
        raise unknown("searcher", searcher, (*SEARCHERS, *SAMPLING))
    samples, exact = searcher in SAMPLING, searcher in SEARCHERS[1:]
    trials = Trials(budget=budget, seed=seed, storage=storage, events=events)
    trials.check(searcher, samples=samples, fidelity=asked.fidelity)
    files.apart(csv, full, trials.file)
    if exact and (objective, asked.fidelity) != ("time", "analytical"):
        raise InputError(
            f"--searcher {searcher} minimises the analytical step time; leave out --objective "
            f"{objective} and --fidelity {asked.fidelity}, or use --searcher {SEARCHERS[0]}"
        )
    constraints = parse_all(fix, limit)
    asking_for: dict[str, Any] = {
        "framework": asked.framework,
        "objective": objective,
        "constraints": constraints,
        "top": top if full is None or objective == "pareto" else max(top, PLAYED),
        "prefer_safe": prefer_safe,
    }
    with doing("trying layouts" if samples else "looking at every layout") as told:
        if samples:
            whole = search_with(
                asked.job,
                searcher,
                budget=budget or BUDGET,
                seed=seed or 0,
                storage=storage,
                events=events,
                **asking_for,
            )
        else:
            whole = search(
                asked.job,
                evaluator=evaluator(asked),
                player=player(asked),
                forecast=forecast(asked),
                progress=told,
                **asking_for,
            )
    result = replace(whole, plans=whole.plans[:top])
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
    if full is not None:
        command = asking(
            "search", asked, fix=fix, limit=limit, searcher=searcher, objective=objective, top=top,
            budget=budget, seed=seed, storage=storage, events=events, prefer_safe=prefer_safe,
            report=full,
        )  # fmt: skip
        deliver_full(
            full, asked, whole, text, framework=asked.framework, command=command,
            constraints=constraints, more=more,
        )  # fmt: skip
    deliver(asked, result, text, json=json, csv=csv, more=more)
    if not result.plans:
        raise NothingFeasibleError(
            "no layout can be used: the answer says why, and what would help"
        )
