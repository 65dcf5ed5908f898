"""The schemas of the other commands: what docs/json.md, timeline.md and partition.md describe."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from plan3d.cli.as_json import schema_id
from plan3d.cli.json_fields import JOB, PIPELINE, PLAN, POINT, STAGES, described
from plan3d.cli.json_schema import (
    BOOLEAN,
    DIALECT,
    INTEGER,
    NUMBER,
    SHARE,
    STRING,
    Schema,
    by_name,
    of,
    only,
    or_null,
    some,
)
from plan3d.planner.models import Preset
from plan3d.planner.uncertainty.coverage import Coverage
from plan3d.planner.validation.report import Sweep
from plan3d.planner.validation.scores import ErrorScore


def _job(*names: str) -> Schema:
    """Return the schema of a job that says only some things, and the layout."""
    return only({name: JOB["properties"][name] for name in names} | {"layout_option": STRING})


def _timeline() -> Schema:
    return only(
        {
            "version": STRING,
            "job": _job("model", "gpus", "hardware", "software", "seq", "global_batch"),
            **PIPELINE,
            **dict.fromkeys(("closed_form_s", "difference", "step_share"), NUMBER),
            "fits": BOOLEAN,
            "assumed": some(STRING),
        }
    )


def _partition() -> Schema:
    parts = {name: part for name, part in STAGES["properties"].items() if name != "how"}
    solved = {
        "searcher": STRING, "proven": BOOLEAN, "bound_s": or_null(NUMBER),
        "gap": or_null(NUMBER), "note": or_null(STRING),
    }  # fmt: skip
    return only(
        {
            "version": STRING,
            "job": _job("model", "gpus", "hardware", "software"),
            "micro_batches": NUMBER,
            "ideal": only({**parts, **solved}),
            "even": or_null(STAGES),
            "runnable": or_null(STAGES),
            "framework": STRING,
            "gain": or_null(NUMBER),
            "gap_runnable": or_null(NUMBER),
            "elapsed_s": NUMBER,
        }
    )


def _models() -> Schema:
    preset = of(Preset)["properties"] | {"aliases": STRING}
    counts = dict.fromkeys(("parameters", "active_parameters"), NUMBER)
    one = only({"name": STRING, **counts, **preset})
    return {"anyOf": [some(one), one]}


def _hardware() -> Schema:
    value = only(dict.fromkeys(("path", "value", "mark", "source"), STRING))
    shown = only({"name": STRING, "digest": STRING, "values": some(value)})
    return {"anyOf": [some(STRING), shown]}


def _validate() -> Schema:
    suites = by_name(of(ErrorScore))
    mean = or_null(NUMBER)
    errors = only({"macro_mape": mean, "macro_bias": mean, "suites": suites})
    covered = or_null(of(Coverage))
    ranking = {"mean_tau": mean, "mean_regret": mean, "sweeps": some(of(Sweep))}
    scores: dict[str, Schema] = {
        "time": errors,
        "ranking": only(ranking),
        "memory": only({"mape": mean, "bias": mean, "suites": suites}),
        "oom": only({"balanced_accuracy": or_null(SHARE), "n": INTEGER}),
    }
    return only(
        {
            **scores,
            "unseen": only(scores),
            "intervals": only({"time": covered, "memory": covered}),
            "skipped": by_name(INTEGER),
            "scored": INTEGER,
            "assumed": by_name(INTEGER),
        }
    )


def _calibrate() -> Schema:
    error = ("median_error", "p90_error", "one_rate_median_error", "one_rate_p90_error")
    constant = only({"value": NUMBER, "error": or_null(NUMBER), "unit": STRING})
    law = {
        "law": STRING, "group": STRING, "points": INTEGER,
        **dict.fromkeys(error, or_null(NUMBER)),
        "sites": by_name(NUMBER), "constants": by_name(constant),
    }  # fmt: skip
    of_points = {
        "gpu": STRING, "hardware": STRING, "about": by_name(STRING), "points": INTEGER,
        "laws": some(only(law)), "refused": some(STRING), "too_few": some(STRING),
    }  # fmt: skip
    of_runs = {
        "runs": INTEGER, "cluster": STRING,
        "scalars": by_name(only({"factor": NUMBER, "error": or_null(NUMBER)})),
        "mean_error_before": or_null(NUMBER), "mean_error_unseen": or_null(NUMBER),
        "not_taken": some(STRING), "left_out": by_name(INTEGER),
    }  # fmt: skip
    return {"anyOf": [only(of_points), only(of_runs)]}


def _check() -> Schema:
    errors = only({"n": INTEGER, "median": NUMBER, "p90": NUMBER, "bias": NUMBER})
    counts = only(dict.fromkeys(("ran_out", "predicted_not_to_fit", "misjudged"), INTEGER))
    sides: Schema = {"type": "object", "required": ["predicted", "measured", "error"]}
    texts = dict.fromkeys(("device", "hardware", "hardware_digest"), STRING)
    return only(
        {
            **texts, "tolerance": NUMBER, "passed": BOOLEAN, "judged": some(STRING),
            "errors": by_name(errors), "out_of_memory": counts, "pairs": some(sides),
        }
    )  # fmt: skip


def _scale() -> Schema:
    job = only({**JOB["properties"], "gpus": {"type": "null"}})
    return only(
        {
            "version": STRING, "job": job, "points": some(POINT),
            "stops_paying": or_null(INTEGER), "assumed": some(STRING),
        }
    ) | {"$defs": {"plan": described(PLAN)}}  # fmt: skip


OTHERS: Final[Mapping[str, Callable[[], Schema]]] = {
    "timeline": _timeline,
    "partition": _partition,
    "scale": _scale,
    "models": _models,
    "hardware": _hardware,
    "validate": _validate,
    "calibrate": _calibrate,
    "check": _check,
}


def other(name: str) -> dict[str, Any]:
    """Return the schema of a command's object."""
    about = {"$schema": DIALECT, "$id": schema_id(name), "title": f"plan3d {name}"}
    return about | OTHERS[name]()
