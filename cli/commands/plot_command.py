"""plan3d plot: one figure in a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from plan3d.cli import completion, files, options
from plan3d.cli.asking import WORK, Ask, offers
from plan3d.cli.inputs import evaluator, forecast, player
from plan3d.cli.layout_option import read_layout
from plan3d.cli.progress import doing
from plan3d.cli.question import Question
from plan3d.cli.single import single
from plan3d.cli.words import brief
from plan3d.planner import frameworks
from plan3d.planner.exhaustive import search
from plan3d.simulator.errors import InputError, NothingFeasibleError, unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from plan3d.cli.case import Case

NAMES: Final[Mapping[str, str]] = {
    "breakdown": "where the step goes, and why every stage idles",
    "memory": "what every stage holds",
    "timeline": "the pipeline, operation by operation",
    "pareto": "step time against memory",
    "scaling": "the best plan at several numbers of GPUs",
    "roofline": "the kernels of a block below the GPU's roof",
    "accuracy": "predictions against the measured runs that ship",
}
"""The figures, and what each shows."""
ACCURACY: Final = "accuracy"
OF_SEARCH: Final = ("pareto", "scaling")
"""Figures about a search, not about a layout."""
ASKED: Final = (*WORK, "hardware", "framework")
"""Options of the question that other commands have, too."""

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "The pipeline of one layout, operation by operation",
        "plan3d plot timeline --model gpt13b --gpus 64 --layout tp=2,pp=4 -o timeline.svg",
    ),
    (
        "What every stage of the best plan holds",
        "plan3d plot memory --model gpt13b --gpus 64 -o memory.png",
    ),
    ("Predictions against measured runs", "plan3d plot accuracy -o accuracy.pdf"),
)


@command.command()
@offers(ASKED)
def run(
    ask: Ask,
    name: Annotated[
        str,
        typer.Argument(
            metavar="FIGURE", help=", ".join(NAMES), autocompletion=completion.one_of(*NAMES)
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Name of an svg, png or pdf.",
            rich_help_panel=options.OUTPUT,
        ),
    ],
    model: options.MaybeModel = None,
    gpus: options.MaybeGpus = None,
    layout: options.Layout = None,
) -> None:
    """Draw one figure into a file.

    breakdown: where the step goes; memory: what every stage holds; timeline: the pipeline,
    operation by operation; pareto: step time against memory; scaling: the best plan at several
    numbers of GPUs; roofline: the kernels of a block below the roof; accuracy: predictions against
    the runs that ship.
    """
    if name not in NAMES:
        raise unknown("figure", name, NAMES)
    files.new(output)
    if name == ACCURACY:
        usual = dict.fromkeys(ASKED) | {"framework": frameworks.DEFAULT}
        if (model, gpus, layout) != (None, None, None) or ask.keywords != usual:
            raise InputError(
                "accuracy is drawn of the runs that ship: leave the model out, and all other "
                "options but --output"
            )
        _write(output, _kind(output), None, name)
        return
    if model is None or gpus is None:
        raise InputError(f"--model and --gpus say what {name} is drawn of; give both")
    if layout is not None and name in OF_SEARCH:
        raise InputError(f"{name} is about all layouts; leave --layout out")
    asked = ask(model=model, gpus=gpus)
    kind = _kind(output)
    _write(output, kind, _case(asked, layout), name)


def _kind(output: Path) -> str:
    """Return the kind of a file; refuse others before the work starts."""
    from plan3d.cli.figures import style  # noqa: PLC0415  # matplotlib: 0.5 s

    return style.kind_of(output.name)


def _case(asked: Question, layout: str | None) -> "Case":
    """Find the plan that is drawn."""
    from plan3d.cli.case import NEAR_BEST, Case  # noqa: PLC0415  # checked first: the options

    if layout is None:
        result = search(
            asked.job, framework=asked.framework, top=NEAR_BEST, evaluator=evaluator(asked),
            player=player(asked), forecast=forecast(asked),
        )  # fmt: skip
        if not result.plans:
            raise NothingFeasibleError(
                f"no layout can be used, so that there is nothing to draw: {result.advice[0]}"
            )
    else:
        runner = frameworks.named(asked.framework)
        chosen = read_layout(layout, asked.job, runner)
        result = single(asked, chosen, runner)
    return Case(
        question=asked, result=result, framework=asked.framework, searched=layout is None
    )  # fmt: skip


def _write(output: Path, kind: str, case: "Case | None", name: str) -> None:
    from plan3d.cli.figures import style  # noqa: PLC0415

    files.write(output, style.image(_drawn(case, name), kind))


def _drawn(case: "Case | None", name: str) -> "Figure":
    from plan3d.cli import plots  # noqa: PLC0415
    from plan3d.cli.figures import style  # noqa: PLC0415

    if case is None or case.plan is None:
        figure = plots.shipped_accuracy()
        title = "plan3d: predictions against the published runs that ship with it"
    else:
        with doing(f"drawing {name}"):
            figure, job = plots.PLOTS[name](case, case.plan), case.question.job
        title = (
            f"{job.model.name} on {job.gpus:,} x {job.cluster.gpu.name}: {NAMES[name]}\n"
            f"{brief(case.plan.layout)}"
        )
    style.entitle(figure, title)
    return figure
