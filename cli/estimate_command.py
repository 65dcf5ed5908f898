"""plan3d estimate: time and memory of one layout."""

from typing import Annotated

import typer

from plan3d.cli import options, report
from plan3d.cli.deliver import check, deliver, deliver_full
from plan3d.cli.inputs import question
from plan3d.cli.layout_option import read_layout
from plan3d.cli.question import asking
from plan3d.cli.single import single
from plan3d.planner import frameworks
from plan3d.simulator.errors import NothingFeasibleError

command = typer.Typer(add_completion=False, rich_markup_mode=None)


@command.command()
def run(
    model: options.Model,
    gpus: options.Gpus,
    layout: Annotated[
        str, typer.Option(help="tp=8,pp=8,...: dp, shard, sp and schedule follow if left out.")
    ],
    hardware: options.Hardware = None,
    seq: options.Seq = None,
    global_batch: options.GlobalBatch = None,
    precision: options.Precision = None,
    optimizer: options.Optimizer = None,
    framework: options.Framework = frameworks.DEFAULT,
    tokens: options.Tokens = None,
    price: options.Price = None,
    fidelity: options.Fidelity = "analytical",
    json: options.Json = False,
    csv: options.Csv = None,
    full: options.Report = None,
) -> None:
    """Predict time and memory of one layout."""
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
    runner = frameworks.named(framework)
    chosen = read_layout(
        layout, gpus, asked.job.software, runner, moe=asked.job.model.experts is not None
    )
    result = single(asked, chosen, runner)
    plan = result.plans[0]
    text = report.of_layout(asked, plan)
    if full is not None:
        command = asking("estimate", asked, layout=layout, report=full)
        deliver_full(
            full, asked, result, text, framework=framework, command=command, searched=False
        )
    deliver(asked, result, text, json=json, csv=csv)
    if not plan.estimate.fits:
        raise NothingFeasibleError("the layout does not fit; plan3d search finds some that do")
