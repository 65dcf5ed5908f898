"""Write a plan for a framework."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from plan3d.planner import frameworks
from plan3d.planner.exports.bridge import BRIDGE, NEMO
from plan3d.planner.exports.deepspeed import DEEPSPEED
from plan3d.planner.exports.fsdp2 import FSDP2
from plan3d.planner.exports.megatron import MEGATRON
from plan3d.planner.exports.nanotron import NANOTRON
from plan3d.planner.exports.planned import Export, Exporter, Planned
from plan3d.planner.exports.torchtitan import PYTHON, TOML
from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.legality import explain, reasons

EXPORTERS: Final[Mapping[str, Exporter]] = {
    "megatron": MEGATRON,
    "megatron-bridge": BRIDGE,
    "nemo": NEMO,
    "deepspeed": DEEPSPEED,
    "torchtitan": PYTHON,
    "torchtitan-toml": TOML,
    "nanotron": NANOTRON,
    "fsdp2": FSDP2,
}
"""Names that ``plan3d export --to`` takes."""

LAST_CHECKED: Final = "2026-11-21"
"""When the names of the exporters were last compared with their frameworks."""


def exporter_named(name: str) -> Exporter:
    """Return an exporter by name."""
    if name not in EXPORTERS:
        raise unknown("exporter", name, EXPORTERS)
    return EXPORTERS[name]


def export(name: str, plan: Planned) -> Export:
    """Return a plan as a file for a framework.

    Raises
    ------
    InputError
        If there is no such exporter, or the framework cannot run the layout: with all that it
        lacks. What is lost without making another job of it is said in `Export.cannot`.
    """
    exporter = exporter_named(name)
    job, layout = plan.job, plan.layout
    runner = frameworks.named(exporter.framework)
    flags = reasons(job.model, job.work, job.cluster, job.gpus, LayoutTable.of([layout]))[0]
    missing = [
        *explain(int(flags) & ~int(runner.tolerates)),
        *frameworks.lacking(runner, layout),
        *(f"{name} lacks {x.says}" for x in exporter.limits if x.refused and x.applies(plan)),
    ]
    if missing:
        raise InputError(
            f"{name} cannot run {layout} on {job.gpus:,} GPUs:"
            + "".join(f"\n  - {text}" for text in missing)
            + f"\nplan3d search --framework {exporter.framework} finds layouts that it can"
        )
    lost = [x for x in exporter.limits if not x.refused and x.applies(plan)]
    cannot = tuple(x.says for x in lost)
    said = _meant(layout, runner)
    for limit in lost:
        said = limit.then(replace(plan, layout=said))
    about = (
        *plan.about,
        f"names checked on {LAST_CHECKED} with {exporter.checked}",
        *(f"not expressed: {text}" for text in cannot),
    )
    return Export(text=exporter.write(plan, about), cannot=cannot, layout=said)


def _meant(layout: Layout, runner: frameworks.Framework) -> Layout:
    """Return a layout that says nothing of overlap where there is none to choose."""
    alone = {
        "tp_overlap": layout.tp == 1,
        "dp_overlap": layout.dp * layout.cp == 1,
        "pp_overlap": layout.pp == 1,
    }
    moot: dict[str, Any] = {x: 1 for x in alone if alone[x] or x not in runner.overlaps}
    return replace(layout, **moot)
