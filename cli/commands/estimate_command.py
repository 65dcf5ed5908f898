"""plan3d estimate: time and memory of one layout."""

from typing import Final

import typer

from plan3d.cli import options, report
from plan3d.cli.asking import asks
from plan3d.cli.deliver import check, deliver, deliver_full
from plan3d.cli.layout_option import read_layout
from plan3d.cli.question import Question, asking
from plan3d.cli.single import single
from plan3d.planner import frameworks
from plan3d.simulator.errors import NothingFeasibleError

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "Time, memory and cost of one layout",
        "plan3d estimate --model gpt175b --gpus 1024 --layout tp=8,pp=8",
    ),
    (
        "Full recomputation, interleaved stages, as JSON",
        "plan3d estimate --model gpt175b --gpus 1024 --layout tp=8,pp=8,vpp=3,recompute=full "
        "--json",
    ),
    (
        "Days and dollars of a trillion tokens at 2 USD per GPU hour",
        "plan3d estimate --model llama-3-8b --gpus 64 --layout tp=2,zero=3 --tokens 1T --price 2",
    ),
)


@command.command()
@asks()
def run(
    asked: Question,
    layout: options.LayoutText,
    json: options.Json = False,
    csv: options.Csv = None,
    full: options.Report = None,
) -> None:
    """Predict time and memory of one layout.

    Also of one that does not fit: the answer then says what fills the memory, and the exit code is
    3. A layout that cannot run is refused with every rule that it breaks.
    """
    check(csv, full)
    runner = frameworks.named(asked.framework)
    result = single(asked, read_layout(layout, asked.job, runner), runner)
    plan = result.plans[0]
    text = report.of_layout(asked, plan)
    if full is not None:
        command = asking("estimate", asked, layout=layout, report=full)
        deliver_full(
            full, asked, result, text, framework=asked.framework, command=command, searched=False
        )
    deliver(asked, result, text, json=json, csv=csv)
    if not plan.estimate.fits:
        raise NothingFeasibleError("the layout does not fit; plan3d search finds some that do")
