"""plan3d timeline: when every rank of one layout's pipeline computes, and why it waits."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from plan3d.cli import as_json, completion, files, options, values
from plan3d.cli.asking import STEP, Ask, offers
from plan3d.cli.console import draws, say
from plan3d.cli.files import write
from plan3d.cli.layout_option import read_layout
from plan3d.cli.played import Played, played
from plan3d.cli.progress import doing
from plan3d.cli.render import show
from plan3d.cli.reports import timeline_report
from plan3d.cli.trace import as_text, trace
from plan3d.planner import frameworks
from plan3d.planner.constraints import parse_fix
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Schedule

command = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES: Final = (
    (
        "When every rank computes, and why it waits",
        "plan3d timeline --model gpt175b --gpus 64 --layout tp=8,pp=8",
    ),
    (
        "Another schedule, few micro-batches, as a picture and for ui.perfetto.dev",
        "plan3d timeline --model gpt175b --gpus 64 --layout tp=8,pp=8 --schedule zb_h1 "
        "--micro-batches 16 --png out.png --trace out.json",
    ),
)


@command.command()
@offers([name for name in STEP if name != "framework"])
def run(
    ask: Ask,
    layout: options.LayoutText,
    schedule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Instead of the layout's: 1f1b, zb_h1, dualpipe, ...",
            autocompletion=completion.schedules,
            rich_help_panel=options.LAYOUTS,
        ),
    ] = None,
    micro_batches: Annotated[
        int | None,
        typer.Option(
            parser=values.whole,
            metavar="N",
            help="So many make the step. [default: as the batch]",
            rich_help_panel=options.QUESTION,
        ),
    ] = None,
    framework: options.Framework = frameworks.ANY.name,
    trace_file: Annotated[
        Path | None,
        typer.Option(
            "--trace",
            metavar="FILE.json",
            help="Write a trace for ui.perfetto.dev.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw it, as SVG.", rich_help_panel=options.OUTPUT),
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw it, as PNG.", rich_help_panel=options.OUTPUT),
    ] = None,
    json: options.Json = False,
) -> None:
    """Play one layout's pipeline: when every rank computes, and why it waits.

    Operations are played in the order of the schedule, with the stages' own times and transfers.
    On a terminal the answer has a picture; --svg, --png and --trace write larger ones.
    """
    files.new(trace_file, svg, png)
    asked = ask(framework=framework)
    runner = frameworks.named(framework)
    chosen = read_layout(layout, asked.job, runner)
    if schedule is not None:
        wanted = parse_fix(f"schedule={schedule}").low
        chosen = replace(chosen, schedule=Schedule(int(wanted)))
    if micro_batches is not None:
        if ask.keywords["global_batch"] is not None:
            raise InputError("--micro-batches and --global-batch contradict; give one of them")
        batch = micro_batches * chosen.dp * chosen.micro_batch
        asked = ask(framework=framework, global_batch=batch)
    with doing("playing the pipeline"):
        found = played(asked, chosen, runner)
    _write(found, trace_file, svg, png)
    if json:
        say(as_json.dumps(timeline_report.as_object(found)))
    else:
        show(timeline_report.report(found, terminal=draws()))


def _write(found: Played, trace_file: Path | None, svg: Path | None, png: Path | None) -> None:
    """Write the files, once all of them are made."""
    made: list[tuple[Path, bytes]] = []
    if trace_file is not None:
        made.append((trace_file, as_text(trace(found.network, found.line, found.costs)).encode()))
    if svg is not None or png is not None:
        from plan3d.cli.figures import style, timeline  # noqa: PLC0415  # matplotlib: 0.5 s

        figure = timeline.draw(found.line, timeline_report.title(found))
        images = ((path, kind) for path, kind in ((svg, "svg"), (png, "png")) if path is not None)
        made += [(path, style.image(figure, kind)) for path, kind in images]
    for path, content in made:
        write(path, content)
