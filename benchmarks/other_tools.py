"""Predict published runs with another tool, Calculon: benchmarks/other_tools.csv.

Run as ``python benchmarks/other_tools.py CALCULON_DIR``, a checkout of
github.com/calculon-ai/calculon (Apache-2.0), of which nothing is here. Its own published validation
is run first: another version than `VERSION` would not give these figures, and nothing is written.
benchmarks/accuracy.py sets the file beside our predictions of the same runs.
"""

import argparse
import copy
import csv
import importlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from calculon_inputs import (
    BETWEEN,
    FIXED,
    GPU,
    SYSTEM,
    Settings,
    application,
    bandwidth_gb_s,
    check,
    execution,
)

from plan3d.cli.commands.validate_command import Shipped
from plan3d.planner.validation import published_runs
from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.rows import Case, case_of
from plan3d.simulator.layout import Layout

OUT: Final = Path(__file__).with_name("other_tools.csv")
VERSION: Final = "0.1.0@c02c5e90af"
"""Of its package, and the commit of its calculon/llm/llm.py."""
VALIDATION: Final = (
    (6144, 64, 96, 48, 8, 1, 4, 4, 1, 1.40, 1.14),
    (12288, 96, 128, 96, 8, 8, 64, 1, 3, 18.03, 13.64),
    (20480, 128, 160, 105, 8, 35, 280, 1, 3, 49.89, 34.47),
    (25600, 160, 160, 128, 8, 64, 512, 1, 1, 90.08, 66.04),
)
"""What it prints of its own validation, ``calculon llm-validation``: hidden, heads, head size,
blocks, tp, pp, batch, micro-batch, depth; step with full recomputation and with selective and
sequence parallelism [s]. 3.65 % on average against arXiv:2205.05198, table 5, as in its paper; a
record of the output is test_output.md of the fork xue-yun-liang/calculon@c9bf376a94."""
ENDLESS: Final = 1e9
"""Memory with which it predicts a time for layouts that do not fit. [GiB]"""
VARIANTS: Final[Mapping[str, Settings]] = {
    "tp_overlap_s": Settings(tensor_par_overlap="ring"),
    "dp_overlap_s": Settings(data_par_overlap=True),
    "scatter_gather_s": Settings(scatter_gather=True),
    "flash_recomputed_s": Settings(flash_recomputes=True),
    "shipped_network_s": Settings(shipped_network=True),
}
"""What else the mapping could be: the column of the step that each gives."""
FUSED: Final = Settings(fused_activation=True)
"""What changes the memory alone."""
COLUMNS: Final = (
    "id", "tool", "version", "settings", "predicted_s", "predicted_bytes", "why_not",
    "fused_bytes", *VARIANTS, "slowest_s", "micro_batch_1_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What it says of one layout."""

    inputs: Mapping[str, object]
    time_s: float
    memory_bytes: float
    fits: bool


class Calculon:
    """Calculon in a folder, with its file of the A100."""

    def __init__(self, folder: Path) -> None:
        """Import it from a folder, which must hold ``calculon/`` and ``systems/``."""
        sys.path.insert(0, str(folder))
        self._llm = importlib.import_module("calculon.llm.llm").Llm
        self._system = importlib.import_module("calculon.system").System
        self._file: dict[str, Any] = json.loads((folder / SYSTEM).read_text(encoding="utf-8"))
        self._capacity_bytes = self._file["mem1"]["GiB"] * 2.0**30
        self._file["mem1"]["GiB"] = ENDLESS
        self._log = logging.getLogger("calculon")

    def answer(
        self, app: Mapping[str, int], inputs: Mapping[str, object], gb_s: float | None = None
    ) -> Answer:
        """Return its prediction of one execution, with another bandwidth between nodes if given.

        Raises
        ------
        SkipError
            If it refuses the execution.
        """
        job = self._llm(self._llm.Application(dict(app)), self._log)
        file = copy.deepcopy(self._file)
        if gb_s is not None:
            file["networks"][BETWEEN]["bandwidth"] = gb_s
        system = self._system(file)
        try:
            job.compile(system, self._llm.Execution.from_json(dict(inputs)))
            job.run(system)
        except (self._llm.Error, AssertionError) as error:
            raise SkipError("refused by the tool", str(error)) from None
        memory = float(job.get_mem_tier1_cap_req())
        return Answer(
            inputs=inputs,
            time_s=float(job.get_total_time()),
            memory_bytes=memory,
            fits=memory <= self._capacity_bytes,
        )


def main() -> None:
    """Write the predictions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calculon", type=Path, help="a checkout of calculon-ai/calculon")
    folder = parser.parse_args().calculon
    if not (folder / SYSTEM).is_file():
        parser.error(f"{folder}: no {SYSTEM} there; give a checkout of calculon-ai/calculon")
    tool = Calculon(folder)
    verify(tool)
    found = list(rows(tool))
    with OUT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)


def verify(tool: Calculon) -> None:
    """Stop unless its own validation comes out as published, to the digits that it prints."""
    for hidden, heads, size, blocks, tp, pp, batch, micro, depth, full, sel in VALIDATION:
        app = {"hidden": hidden, "feedforward": 4 * hidden, "seq_size": 2048,
               "attn_heads": heads, "attn_size": size, "num_blocks": blocks}  # fmt: skip
        for published, recompute, sp in ((full, "full", False), (sel, "attn_only", True)):
            inputs = {
                "num_procs": tp * pp, "tensor_par": tp, "pipeline_par": pp, "data_par": 1,
                "tensor_par_net": 0, "pipeline_par_net": 1, "data_par_net": 1,
                "batch_size": batch, "microbatch_size": micro, "fused_activation": False,
                "attention_type": "multihead", "activation_recompute": recompute,
                "pipeline_interleaving": depth, "optimizer_sharding": False,
                "tensor_par_comm_type": "rs_ag" if sp else "ar", "tensor_par_overlap": "none",
                "seq_par_ag_redo": sp, "data_par_overlap": False, **FIXED,
            }  # fmt: skip
            if f"{tool.answer(app, inputs).time_s:.2f}" != f"{published:.2f}":
                raise SystemExit(f"not the version {VERSION}: {published} s is not what it says")


def rows(tool: Calculon) -> Iterator[dict[str, object]]:
    """Yield a row for each scored run on the GPU of its file."""
    for run in published_runs().rows:
        if run.gpu != GPU:
            continue
        try:
            case = case_of(run, Shipped())
        except SkipError:
            continue  # not scored: nothing to compare
        row: dict[str, object] = {"id": run.id, "tool": "Calculon", "version": VERSION}
        try:
            check(case)
            yield row | predictions(tool, case)
        except SkipError as reason:
            yield row | {"why_not": str(reason)}


def predictions(tool: Calculon, case: Case) -> dict[str, object]:
    """Return what it predicts of a run, with the mapping and with each other one."""
    found = answers(tool, case, Settings(), case.layouts)
    best = fastest(found)
    others = {name: fastest(answers(tool, case, s, case.layouts)) for name, s in VARIANTS.items()}
    if len(found) > 1:
        single = [layout for layout in case.layouts if layout.micro_batch == 1]
        others["slowest_s"] = max((a for a in found if a.fits), key=lambda a: a.time_s)
        others["micro_batch_1_s"] = fastest(answers(tool, case, Settings(), single))
    fused = fastest(answers(tool, case, FUSED, case.layouts))
    return {
        "settings": described(case, best.inputs),
        "predicted_s": f"{best.time_s:.6g}",
        "predicted_bytes": f"{best.memory_bytes:.6g}",
        "fused_bytes": f"{fused.memory_bytes:.6g}",
    } | {name: f"{a.time_s:.6g}" for name, a in others.items() if a.time_s != best.time_s}


def answer(tool: Calculon, case: Case, layout: Layout, settings: Settings) -> Answer:
    """Return what it says of a layout: the step, and the memory by `Settings.for_memory`."""
    app, gb_s = application(case), bandwidth_gb_s(case, settings)
    step, memory = (
        tool.answer(app, execution(case, layout, each), gb_s)
        for each in (settings, settings.for_memory)
    )
    return replace(step, memory_bytes=memory.memory_bytes, fits=memory.fits)


def answers(
    tool: Calculon, case: Case, settings: Settings, layouts: Sequence[Layout]
) -> list[Answer]:
    """Return what it says of the layouts that it can express: at least one."""
    found, refused = [], []
    for layout in layouts:
        try:
            found.append(answer(tool, case, layout, settings))
        except SkipError as reason:
            refused.append(reason)
    if not found:
        raise refused[0]
    return found


def fastest(found: Sequence[Answer]) -> Answer:
    """Return the fastest that fits, or the smallest: the rule by which ours are chosen."""
    fitting = [a for a in found if a.fits]
    if fitting:
        return min(fitting, key=lambda a: a.time_s)
    return min(found, key=lambda a: a.memory_bytes)


def described(case: Case, inputs: Mapping[str, object]) -> str:
    """Return in few words the inputs that differ from run to run."""
    degrees = "tensor_par", "pipeline_par", "data_par", "microbatch_size", "pipeline_interleaving"
    networks = "tensor_par_net", "pipeline_par_net", "data_par_net"
    words = [f"{short}{inputs[name]}" for short, name in zip("tpdbv", degrees, strict=True)]
    words += [str(inputs["tensor_par_comm_type"]), str(inputs["activation_recompute"])]
    words += ["sharded"] if inputs["optimizer_sharding"] else []
    words += ["net " + "/".join(str(inputs[name]) for name in networks)]
    return " ".join([*words, f"{bandwidth_gb_s(case, Settings()):g}GB/s"])


if __name__ == "__main__":
    main()
