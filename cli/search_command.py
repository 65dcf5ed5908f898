"""plan3d search: the best layouts of a model on a number of GPUs."""

from dataclasses import replace
from typing import Annotated

import typer

from plan3d.cli import files, options, report
from plan3d.cli.deliver import deliver
from plan3d.cli.inputs import evaluator, forecast, player, question
from plan3d.cli.partition_report import inner_answer, inner_object, inner_table
from plan3d.cli.trials import EVENTS, Budget, Seed, Storage, Trials
from plan3d.planner import frameworks
from plan3d.planner.constraints import parse_fix, parse_limit
from plan3d.planner.exhaustive import search
from plan3d.planner.inner import search_inner
from plan3d.planner.searchers.search import BUDGET, search_with
from plan3d.planner.searchers.table import SEARCHERS as SAMPLING
from plan3d.simulator.errors import InputError, NothingFeasibleError, unknown

SEARCHERS = ("exhaustive", "dp", "ilp")
"""Those that look at every layout."""

command = typer.Typer(add_completion=False, rich_markup_mode=None)


@command.command()
def run(
    model: options.Model,
    gpus: options.Gpus,
    hardware: options.Hardware = None,
    seq: options.Seq = None,
    global_batch: options.GlobalBatch = None,
    precision: options.Precision = None,
    optimizer: options.Optimizer = None,
    framework: options.Framework = frameworks.DEFAULT,
    fix: Annotated[
        list[str] | None, typer.Option(metavar="AXIS=N", help="Only such layouts: tp=8.")
    ] = None,
    limit: Annotated[
        list[str] | None, typer.Option(metavar="AXIS<=N", help="Only up to this: pp<=16.")
    ] = None,
    searcher: Annotated[
        str,
        typer.Option(
            help="exhaustive; dp or ilp: exact stages and recomputation as well; "
            "or one that samples: bayesian, residual, ... (docs/searchers.md)."
        ),
    ] = SEARCHERS[0],
    objective: Annotated[
        str, typer.Option(help="time, cost, memory, tokens-per-dollar or pareto.")
    ] = "time",
    top: Annotated[
        int, typer.Option(parser=options.whole, metavar="N", help="How many plans to show.")
    ] = 5,
    budget: Budget = None,
    seed: Seed = None,
    storage: Storage = None,
    prefer_safe: Annotated[
        bool, typer.Option(help="Of plans as fast as the best, the least likely to fail first.")
    ] = True,
    tokens: options.Tokens = None,
    price: options.Price = None,
    fidelity: options.Fidelity = "analytical",
    json: options.Json = False,
    csv: options.Csv = None,
    markdown: options.Markdown = None,
) -> None:
    """Find the best layouts of a model on a number of GPUs."""
    files.check(csv, markdown)
    if searcher not in (*SEARCHERS, *SAMPLING):
        raise unknown("searcher", searcher, (*SEARCHERS, *SAMPLING))
    trials = Trials(budget=budget, seed=seed, storage=storage, fidelity=fidelity)
    trials.check(searcher, samples=searcher in SAMPLING)
    asked = question(
        model=model,
        gpus=gpus,
        hardware=hardware,
        seq=seq,
        global_batch=global_batch,
        precision=precision,
        optimizer=optimizer,
        framework=framework,
        tokens=tokens,
        price=price,
        fidelity="analytical" if fidelity == EVENTS else fidelity,
    )
    exact = searcher in SEARCHERS[1:]
    if exact and (objective, fidelity) != ("time", "analytical"):
        raise InputError(
            f"--searcher {searcher} minimises the analytical step time; leave out --objective "
            f"{objective} and --fidelity {fidelity}, or use --searcher {SEARCHERS[0]}"
        )
    constraints = (*map(parse_fix, fix or ()), *map(parse_limit, limit or ()))
    if searcher in SAMPLING:
        result = search_with(
            asked.job,
            searcher,
            framework=framework,
            objective=objective,
            constraints=constraints,
            top=top,
            budget=budget or BUDGET,
            seed=seed or 0,
            storage=storage,
            events=fidelity == EVENTS,
            prefer_safe=prefer_safe,
        )
    else:
        result = search(
            asked.job,
            framework=framework,
            objective=objective,
            top=top,
            constraints=constraints,
            evaluator=evaluator(asked),
            player=player(asked),
            forecast=forecast(asked),
            prefer_safe=prefer_safe,
        )
    text, more = report.of_search(asked, result), {}
    if exact and result.plans:
        found = search_inner(
            asked.job,
            framework=framework,
            searcher=searcher,
            constraints=constraints,
            first=[plan.layout for plan in result.plans],
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
