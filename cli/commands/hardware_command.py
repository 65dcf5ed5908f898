"""plan3d hardware: which clusters there are, or one with every number and its source."""

from typing import Annotated, Final

import typer

from plan3d import hardware_profiles
from plan3d.cli import as_json, completion, options
from plan3d.cli.console import say
from plan3d.cli.inputs import cluster_named
from plan3d.cli.render import show_table
from plan3d.cli.report import Table
from plan3d.cli.words import gib, hourly
from plan3d.simulator.hardware import Cluster

command = typer.Typer(add_completion=False, rich_markup_mode=None, invoke_without_command=True)
EXAMPLES: Final = (
    ("All clusters", "plan3d hardware"),
    ("One with every number and its source", "plan3d hardware show dgx-h100"),
    ("The same for programs", "plan3d hardware show dgx-h100 --json"),
)


@command.callback()
def listed(context: typer.Context, json: options.Json = False) -> None:
    """List the clusters that plan3d knows, or show one."""
    if context.invoked_subcommand is not None:
        return
    clusters = [hardware_profiles.load(name) for name in hardware_profiles.names()]
    if json:
        say(as_json.dumps([cluster.name for cluster in clusters]))
    else:
        show_table(_table(clusters))


@command.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The name of a profile, or a TOML file.",
            autocompletion=completion.clusters,
        ),
    ],
    json: options.Json = False,
) -> None:
    """Show one cluster: every number with its unit, its mark and its source."""
    cluster = cluster_named(name)
    rows = hardware_profiles.describe(name)
    if json:
        found = [row._asdict() for row in rows]
        say(as_json.dumps({"name": cluster.name, "digest": cluster.digest, "values": found}))
    else:
        head = ("path", "value", "mark", "source")
        title = f"{cluster.name} ({cluster.digest})"
        show_table(Table(title=title, head=head, rows=tuple(map(tuple, rows)), words=(0, 1, 2, 3)))


def _table(clusters: list[Cluster]) -> Table:
    return Table(
        title="Clusters (plan3d hardware show NAME)",
        head=("name", "GPU", "per node", "GiB", "fp16 TFLOP/s", "network", "USD/h"),
        rows=tuple(
            (
                cluster.name,
                cluster.gpu.name,
                f"{cluster.gpus_per_node}",
                gib(cluster.gpu.memory_bytes),
                f"{cluster.gpu.peaks.fp16 / 1e12:,.0f}",
                cluster.network.name,
                hourly(cluster.gpu.usd_per_s),
            )
            for cluster in clusters
        ),
        words=(0, 1, 5),
    )
