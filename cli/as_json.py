"""The JSON and CSV forms of an answer; docs/json.md says what each field means."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from plan3d.cli.question import Question
from plan3d.cli.words import as_option, plain, spelled
from plan3d.planner.result import Plan, Safer, SearchResult
from plan3d.simulator.economics import RunCost, criteria

VERSION: Final = 1
"""Of the schemas: counts up when a field goes, or changes what it means."""


def schema_id(name: str) -> str:
    """Return the name of a schema, as the field `schema` has it."""
    return f"urn:plan3d:{name}:{VERSION}"


def dumps(value: object) -> str:
    """Return strict JSON: what is not finite is null."""
    return json.dumps(_clean(value), indent=2, allow_nan=False)


def _clean(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(k): _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    return plain(value)


def of_search(question: Question, result: SearchResult) -> dict[str, Any]:
    """Return the object that `plan3d search --json` prints."""
    return {
        "schema": schema_id("search"),
        "version": question.version,
        "job": of_job(question),
        "plans": [of_plan(question, plan) for plan in result.plans],
        "nearest": None if result.nearest is None else of_plan(question, result.nearest),
        "certificate": asdict(result.certificate),
        "infeasible": dict(result.infeasible),
        "advice": list(result.advice),
        "assumed": list(question.assumed),
        "near_best": result.near_best,
        "safer": None if result.safer is None else _safer(result.safer),
        "elapsed_s": result.elapsed_s,
    }


def of_job(question: Question) -> dict[str, Any]:
    """Return what was asked."""
    job = question.job
    return {
        "model": job.model.name,
        "gpus": job.gpus,
        "hardware": job.cluster.name,
        "hardware_digest": job.cluster.digest,
        "software": job.software.name,
        "fidelity": question.fidelity,
        "seq": job.work.seq,
        "global_batch": job.work.global_batch,
        "precision": job.work.precision.name,
        "optimizer": job.work.optimizer.name,
        "shape": asdict(job.model),
    }


def of_plan(question: Question, plan: Plan) -> dict[str, Any]:
    """Return one plan."""
    estimate = plan.estimate
    cost = question.run_cost(estimate)
    return {
        "rank": plan.rank,
        "layout": spelled(plan.layout),
        "layout_option": as_option(plan.layout),
        "step_time_s": estimate.step_time_s,
        "memory_bytes": estimate.memory_bytes,
        "capacity_bytes": estimate.capacity_bytes,
        "fits": estimate.fits,
        "stage": estimate.stage,
        "mfu": estimate.mfu,
        "hfu": estimate.hfu,
        "peak_flop_per_s": estimate.peak_flop_per_s,
        "model_flop": estimate.model_flop,
        "hardware_flop": estimate.hardware_flop,
        "tokens_per_s": estimate.tokens / estimate.step_time_s,
        "tokens_per_s_per_gpu": estimate.tokens_per_s_per_gpu,
        "time": asdict(estimate.time),
        "link": asdict(estimate.link),
        "memory": asdict(estimate.memory),
        "criteria": asdict(criteria(estimate)),
        "training": None if cost is None else of_run(cost),
        "behind": plan.behind,
        "played": plan.played,
        "variants": plan.variants,
        "reason": plan.reason,
        "outlook": None if plan.outlook is None else asdict(plan.outlook),
    }


def _safer(safer: Safer) -> dict[str, float | str]:
    return {
        "faster": as_option(safer.faster),
        "behind": safer.behind,
        "out_of_memory": safer.out_of_memory,
    }


def of_run(cost: RunCost) -> dict[str, float]:
    """Return what a whole run takes."""
    return {
        "tokens": cost.tokens,
        "time_s": cost.time_s,
        "days": cost.days,
        "gpu_hours": cost.gpu_hours,
        "cost_usd": cost.cost_usd,
        "energy_j": cost.energy_j,
    }


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table: one line per row, nested objects as `name.field` columns."""
    lines = [flat(row) for row in rows]
    out = io.StringIO()
    names = list(dict.fromkeys(name for line in lines for name in line))
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Return nested objects as one, with keys `name.field`."""
    line: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            line |= flat(value, f"{prefix}{name}.")
        else:
            line[f"{prefix}{name}"] = plain(value)
    return line
