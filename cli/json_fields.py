"""The fields of what commands print as JSON: the one description of them.

``plan3d schema`` and the tables of docs/json.md are made of it.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from plan3d.cli.as_json import schema_id
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
    one_of,
    only,
    or_null,
    some,
)
from plan3d.planner.constraints import WORDS
from plan3d.planner.result import Certificate, Outlook
from plan3d.simulator.economics import Criteria
from plan3d.simulator.layout import FIELDS
from plan3d.simulator.result import LinkTime, Memory, StepTime

LINK: Final = re.compile(r"\[([^\]]+)\]\([^)]+\)")


class Field(NamedTuple):
    """A field: what may stand in it, and what it means."""

    schema: Schema
    what: str
    optional: bool = False


def described(fields: Mapping[str, Field]) -> Schema:
    """Return the schema of an object, with what its fields mean."""
    return only(
        {
            name: field.schema | {"description": LINK.sub(r"\1", field.what)}
            for name, field in fields.items()
        },
        tuple(name for name, field in fields.items() if field.optional),
    )


def names(cls: type) -> str:
    """Return the fields of a dataclass as the documents write them."""
    return ", ".join(f"`{name}`" for name in of(cls)["properties"])


LAYOUT: Final = only({axis: STRING if axis in WORDS else NUMBER for axis in FIELDS})
JOB: Final = only(
    {
        **dict.fromkeys(("model", "hardware", "hardware_digest", "software"), STRING),
        **dict.fromkeys(("precision", "optimizer"), STRING),
        **dict.fromkeys(("gpus", "seq", "global_batch"), INTEGER),
        "fidelity": one_of("analytical", "textbook"),
        "shape": {"type": "object"},
    }
)
RUN: Final = only(
    dict.fromkeys(("tokens", "time_s", "days", "gpu_hours", "cost_usd", "energy_j"), NUMBER)
)

PLAN: Final = {
    "rank": Field(INTEGER, "1 is the best"),
    "layout": Field(
        LAYOUT,
        "`tp`, `pp`, `dp`, `cp`, `ep`, `etp`, `vpp`, `micro_batch`, `zero`, `shard` (ranks over "
        "which ZeRO shards), `sp`, `recompute` (none, selective, full, block), "
        "`recompute_layers`, `schedule` ([names](schedules.md)), `cp_all_to_all`, `tp_overlap`, "
        "`dp_overlap`, `pp_overlap`, `offload` (share of the optimizer states in host memory), "
        "`order` (placement, innermost first)",
    ),
    "layout_option": Field(STRING, "the same, as `plan3d estimate --layout` takes it"),
    "step_time_s": Field(NUMBER, "one optimizer step: the sum of `time`"),
    "memory_bytes": Field(NUMBER, "peak of the fullest stage: the sum of `memory`"),
    "capacity_bytes": Field(NUMBER, "memory of a GPU"),
    "fits": Field(BOOLEAN, "whether the peak is within it"),
    "stage": Field(INTEGER, "the fullest stage, from 0"),
    "mfu": Field(NUMBER, "FLOP/s of the model over `peak_flop_per_s`"),
    "hfu": Field(NUMBER, "the same with recomputation"),
    "peak_flop_per_s": Field(NUMBER, "dense peak of one GPU for the type of the matrix products"),
    "model_flop": Field(NUMBER, "work of a step"),
    "hardware_flop": Field(NUMBER, "the same with recomputation"),
    "tokens_per_s": Field(NUMBER, "throughput"),
    "tokens_per_s_per_gpu": Field(NUMBER, "throughput of one GPU"),
    "time": Field(
        of(StepTime),
        f"{names(StepTime)}; `ends_s`: embedding, logits, loss; communication as far as it is "
        "exposed",
    ),
    "link": Field(of(LinkTime), f"{names(LinkTime)}: how long the links are busy, hidden or not"),
    "memory": Field(of(Memory), names(Memory)),
    "criteria": Field(
        of(Criteria),
        f"{names(Criteria)}: fractions of the model's work, of the capacity, of the step",
    ),
    "training": Field(
        or_null(RUN),
        "`tokens`, `time_s`, `days`, `gpu_hours`, `cost_usd`, `energy_j` of the whole run; `null` "
        "where its tokens are unknown (`--tokens`)",
    ),
    "behind": Field(NUMBER, "distance to the best by the objective: 0.02 is 2 % worse"),
    "played": Field(
        or_null(NUMBER),
        "step time with the pipeline played out over that of the closed form, less one; `null` "
        "where nothing was played",
    ),
    "variants": Field(INTEGER, "layouts of the same group of near-ties, this one included"),
    "reason": Field(STRING, "why it stands where it does"),
    "outlook": Field(
        or_null(of(Outlook)),
        "how sure it is, by published runs; `null` with `--fidelity textbook`: `regime` (plain, "
        "rare, slow-one-node, slow-many-nodes, unseen), `suites` (sources of runs behind the "
        "interval of the step time), `inflation` (by how much it is wider because these are too "
        "few), `step_time_s` and `memory_bytes` (`low` and `high`: nine of ten measurements are "
        "between them), `out_of_memory` (chance that the true peak is above the capacity)",
    ),
}  # fmt: skip
"""Of a plan."""

ONE_PLAN: Final[Schema] = {"$ref": "#/$defs/plan"}
STAGES: Final = only(
    {
        **dict.fromkeys(("step_time_s", "balance"), NUMBER),
        **dict.fromkeys(("stage_time_s", "memory_bytes", "capacity_bytes"), some(NUMBER)),
        "layers": some(INTEGER),
        "recompute": some(STRING),
        "fits": BOOLEAN,
        "how": STRING,
    },
    ("how",),
)
INNER: Final = only(
    {
        "layout_option": STRING, "ideal": STAGES, "runnable": or_null(STAGES),
        "framework": STRING, "gap_runnable": or_null(NUMBER), "searcher": STRING,
        "proven": BOOLEAN, "outer": INTEGER, "solved": INTEGER, "bound_s": or_null(NUMBER),
    }
)  # fmt: skip

SEARCH: Final = {
    "schema": Field(STRING, "name and version of the [schema](#schemas)"),
    "version": Field(STRING, "of plan3d"),
    "job": Field(
        JOB,
        "`model`, `gpus`, `hardware`, `hardware_digest` (hash of every number of the profile), "
        "`software`, `fidelity`, `seq` (tokens), `global_batch` (sequences), `precision`, "
        "`optimizer`, "
        "`shape` (the fields of the model, as `models show` has them in `model`)",
    ),
    "plans": Field(some(ONE_PLAN), "the plans, best first: see below; `estimate` has one"),
    "nearest": Field(
        or_null(ONE_PLAN),
        "where nothing fits: the plan that misses the memory by least; otherwise `null`",
    ),
    "certificate": Field(
        of(Certificate),
        "`searcher`, `objective`, `legal` (legal layouts, each counted once), `fit` (those that "
        "fit), `evaluated`, `proven` (the best of all that fit was found, by the closed form; "
        "never by a `--searcher` that samples), "
        "`gap` (how far the first plan is from it: a simpler near-tie, or one that is faster when "
        "played), `played` (pipelines played out)",
    ),
    "inner": Field(
        INNER,
        "with `--searcher dp` or `ilp` only: `layout_option`, `ideal` and `runnable` stages "
        "(fields as in [partition](partition.md)), `gap_runnable`, `proven`, `outer` (layouts that "
        "could hold the model), `solved`, `bound_s`",
        optional=True,
    ),
    "infeasible": Field(by_name(INTEGER), "reason: layouts that cannot be used for it"),
    "advice": Field(some(STRING), "sentences: what would help"),
    "assumed": Field(
        some(STRING), "sentences: what the command did not say, and what was taken for it"
    ),
    "near_best": Field(
        or_null(SHARE),
        "chance that the first plan is truly within 5 % of the fastest of the 20 best; `null` "
        "where the order is not that of step times, or nothing is known (`--fidelity textbook`), "
        "and for `estimate`",
    ),
    "safer": Field(
        or_null(only({"faster": STRING, "behind": NUMBER, "out_of_memory": SHARE})),
        "where a plan is first because it is less likely to run out of memory than a faster "
        "near-tie: `faster` (that plan, as `layout_option`), `behind` (how much slower the first "
        "plan is), `out_of_memory` (chance of the faster one); otherwise `null`, and always with "
        "`--no-prefer-safe`",
    ),
    "elapsed_s": Field(NUMBER, "evaluation and ranking, without start-up"),
}
"""Of what `plan3d search --json` and `plan3d estimate --json` print."""

RANK: Final = only(
    {
        "rank": INTEGER,
        **dict.fromkeys(("busy_s", "idle_s", "warm_up_s", "cool_down_s", "imbalance_s"), NUMBER),
        **dict.fromkeys(("transfer_s", "span_s", "peak_activations_bytes"), NUMBER),
    }
)
PIPELINE: Final = {
    "schedule": STRING, "micro_batches": INTEGER, "operations": INTEGER, "makespan_s": NUMBER,
    "pipeline_s": NUMBER, "bubble": NUMBER, "ranks": some(RANK),
}  # fmt: skip
KERNEL: Final = only(
    {"name": STRING} | dict.fromkeys(
        ("flop", "moved_bytes", "time_s", "peak_flop_per_s", "intensity", "flop_per_s"), NUMBER
    )
)  # fmt: skip
CHANGE: Final = only(
    {
        "axis": STRING, "before": NUMBER, "after": NUMBER, "layout_option": or_null(STRING),
        "fits": or_null(BOOLEAN), "step_time_s": or_null(NUMBER), "peak_bytes": or_null(NUMBER),
        "time": by_name(NUMBER), "memory": by_name(NUMBER), "refused": STRING,
    }
)  # fmt: skip
POINT: Final = only(
    {
        "gpus": INTEGER, "plan": or_null(ONE_PLAN), "why": or_null(STRING),
        **dict.fromkeys(
            ("tokens_per_s", "mfu", "usd_per_token", "efficiency", "gain"), or_null(NUMBER)
        ),
    }
)  # fmt: skip
STAGE: Final = only({**of(Memory)["properties"], "total_bytes": NUMBER})

FULL: Final = {
    "command": Field(STRING, "the command that made the report"),
    "stages": Field(
        some(STAGE), "what every pipeline stage holds: fields of a plan's `memory`, `total_bytes`"
    ),
    "pipeline": Field(
        or_null(only(PIPELINE)),
        "of the first plan, played: `schedule`, `micro_batches`, `operations`, `makespan_s`, "
        "`pipeline_s`, `bubble`, `ranks`, as in [timeline](timeline.md); of many micro-batches "
        "some; `null` without pipeline parallelism",
    ),
    "kernels": Field(
        some(KERNEL),
        "of a block, forward: `name`, `flop`, `moved_bytes`, `time_s`, `peak_flop_per_s`, "
        "`intensity` (FLOP/byte), `flop_per_s`",
    ),
    "front": Field(some(ONE_PLAN), "plans that no other beats in both time and memory"),
    "neighbours": Field(
        some(CHANGE),
        "one step along each axis: `axis`, `before`, `after`, `layout_option`, `fits`, "
        "`step_time_s` and `peak_bytes` (changes, the sums of those in `time` and `memory`), "
        "`refused` (why there is no such layout, and then `null` for what it would have)",
    ),
    "scaling": Field(
        some(POINT),
        "numbers of GPUs: `gpus`, `plan` (the best, or `null`) and `why` there is none, "
        "`tokens_per_s`, `mfu`, `usd_per_token`, `efficiency` (tokens/s per GPU over those of the "
        "smallest count), `gain` (the same of the GPUs that were added)",
    ),
    "sources": Field(by_name(STRING), "number of the hardware profile: where it comes from"),
}
"""What only a full report (`--report FILE.json`) has, whose `plans` are all the near-best."""


def schema(name: str, fields: Mapping[str, Field]) -> Schema:
    """Return a whole schema, with that of a plan."""
    return {
        "$schema": DIALECT,
        "$id": schema_id(name),
        "title": f"plan3d {name}",
        "description": "Units are in the names of the fields; fractions are of 1.",
        **described(fields),
        "$defs": {"plan": described(PLAN)},
    }
