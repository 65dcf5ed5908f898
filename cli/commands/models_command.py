"""plan3d models: which there are, or one in full."""

from dataclasses import asdict
from typing import Annotated, Final

import typer

from plan3d.cli import as_json, completion, options
from plan3d.cli.console import say
from plan3d.cli.render import show_table
from plan3d.cli.report import Table
from plan3d.cli.words import short
from plan3d.planner import models
from plan3d.planner.models import Preset
from plan3d.simulator.parameters import active_params, total_params

command = typer.Typer(add_completion=False, rich_markup_mode=None, invoke_without_command=True)
EXAMPLES: Final = (
    ("All models", "plan3d models"),
    ("One in full", "plan3d models show llama-3-70b"),
    ("A model of your own, as plan3d reads it", "plan3d models show h=4096,l=32,a=32 --json"),
)


@command.callback()
def listed(context: typer.Context, json: options.Json = False) -> None:
    """List the models that plan3d knows, or show one."""
    if context.invoked_subcommand is not None:
        return
    presets = [models.load(name) for name in models.names()]
    if json:
        say(as_json.dumps([_fields(preset) for preset in presets]))
    else:
        show_table(_table(presets))


@command.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A name, a config.json, or h=12288,l=96,a=96.",
            autocompletion=completion.models,
        ),
    ],
    json: options.Json = False,
) -> None:
    """Show one model: its shape, its parameters, its training defaults."""
    fields = _fields(models.resolve(name))
    if json:
        say(as_json.dumps(fields))
    else:
        rows = tuple((k, str(v)) for k, v in as_json.flat(fields).items() if v is not None)
        title = str(fields["name"])
        show_table(Table(title=title, head=("field", "value"), rows=rows, words=(0, 1)))


def _table(presets: list[Preset]) -> Table:
    return Table(
        title="Models (plan3d models show NAME)",
        head=(
            "name", "parameters", "active", "layers", "hidden", "heads", "seq", "batch",
            "tokens", "hardware",
        ),
        rows=tuple(
            (
                preset.name,
                short(total_params(preset.model)),
                short(active_params(preset.model)),
                f"{preset.model.layers}",
                f"{preset.model.hidden:,}",
                f"{preset.model.heads}",
                f"{preset.seq:,}",
                f"{preset.global_batch:,}",
                short(preset.tokens) if preset.tokens else "",
                preset.hardware,
            )
            for preset in presets
        ),
        words=(0, 9),
    )  # fmt: skip


def _fields(preset: Preset) -> dict[str, object]:
    counts = {
        "parameters": total_params(preset.model), "active_parameters": active_params(preset.model)
    }  # fmt: skip
    return {"name": preset.name, **counts, **asdict(preset)} | {
        "aliases": ", ".join(preset.aliases)
    }
