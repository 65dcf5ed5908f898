"""plan3d search: the best layouts of a model on a number of GPUs."""

from dataclasses import replace
from typing import Annotated

import typer

from plan3d.cli import options, report
from plan3d.cli.deliver import check, deliver, deliver_full
from plan3d.cli.inputs import evaluator, forecast, player, question
from plan3d.cli.partition_report import inner_answer, inner_object, inner_table
from plan3d.cli.question import asking
from plan3d.planner import frameworks
from plan3d.planner.constraints import parse_fix, parse_limit
from plan3d.planner.exhaustive import PLAYED, search
from plan3d.planner.inner import search_inner
from plan3d.simulator.errors import InputError, NothingFeasibleError, unknown

SEARCHERS = ("exhaustive", "dp", "ilp")

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
    fix: options.Fix = None,
    limit: options.Limit = None,
    searcher: Annotated[
        str, typer.Option(help="exhaustive; dp or ilp: exact stages and recomputation as well.")
    ] = SEARCHERS[0],
    objective: Annotated[
        str, typer.Option(help="time, cost, memory, tokens-per-dollar or pareto.")
    ] = "time",
    top: Annotated[
        int, typer.Option(parser=options.whole, metavar="N", help="How many plans to show.")
    ] = 5,
    prefer_safe: Annotated[
        bool, typer.Option(help="Of plans as fast as the best, the least likely to fail first.")
    ] = True,
    tokens: options.Tokens = None,
    price: options.Price = None,
    fidelity: options.Fidelity = "analytical",
    json: options.Json = False,
    csv: options.Csv = None,
    full: options.Report = None,
) -> None:
    """Find the best layouts of a model on a number of GPUs."""
    check(csv, full)
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
        fidelity=fidelity,
    )
    if searcher not in SEARCHERS:
        raise unknown("searcher", searcher, SEARCHERS)
    exact = searcher != SEARCHERS[0]
    if exact and (objective, fidelity) != ("time", "analytical"):
        raise InputError(
            f"--searcher {searcher} minimises the analytical step time; leave out --objective "
            f"{objective} and --fidelity {fidelity}, or use --searcher {SEARCHERS[0]}"
        )
    constraints = (*map(parse_fix, fix or ()), *map(parse_limit, limit or ()))
    whole = search(
        asked.job,
        framework=framework,
        objective=objective,
        top=top if full is None or objective == "pareto" else max(top, PLAYED),
        constraints=constraints,
        evaluator=evaluator(asked),
        player=player(asked),
        forecast=forecast(asked),
        prefer_safe=prefer_safe,
    )
    result = replace(whole, plans=whole.plans[:top])
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
    if full is not None:
        command = asking(
            "search", asked, fix=fix, limit=limit, searcher=searcher, objective=objective, top=top,
            prefer_safe=prefer_safe, report=full,
        )  # fmt: skip
        deliver_full(
            full, asked, whole, text, framework=framework, command=command,
            constraints=constraints, more=more,
        )  # fmt: skip
    deliver(asked, result, text, json=json, csv=csv, more=more)
    if not result.plans:
        raise NothingFeasibleError(
            "no layout can be used: the answer says why, and what would help"
        )
