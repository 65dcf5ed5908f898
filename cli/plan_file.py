"""Read a plan that ``plan3d search --json`` or ``plan3d estimate --json`` wrote."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import plan3d
from plan3d import hardware_profiles
from plan3d.cli.inputs import FIDELITIES, cluster_named
from plan3d.cli.layout_option import read_layout
from plan3d.cli.words import as_option, gib, seconds
from plan3d.planner.constraints import WORDS
from plan3d.planner.exports import Planned
from plan3d.planner.models.fields import model_spec
from plan3d.planner.result import Job
from plan3d.planner.space import MAX_GPUS
from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.layout import FIELDS, Layout, Recompute
from plan3d.simulator.workload import Workload, optimizer_named, precision_named

LARGEST = 1e30
"""Of the figures of a plan: seconds, bytes, tokens. [s, bytes, 1]"""

SOURCE = "this is no plan of plan3d search --json or plan3d estimate --json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """The object of a search or an estimate."""

    values: Mapping[str, Any]

    def planned(self, rank: int, hardware: str | None = None) -> Planned:
        """Return the plan of a rank.

        Raises
        ------
        InputError
            If there is none, or what it says cannot be read.
        """
        plan = self._plan(rank)
        layout = _layout(_part(plan, "layout", dict))
        return Planned(job=self.job(hardware), layout=layout, about=self.about(plan, layout))

    def step_time_s(self, rank: int) -> float:
        """Return what was predicted for a plan [s]."""
        return _number(self._plan(rank), "step_time_s")

    def tokens(self, rank: int) -> float | None:
        """Return the tokens of the whole run, if they were known [1]."""
        run = self._plan(rank).get("training")
        return _number(run, "tokens") if isinstance(run, Mapping) else None

    @property
    def fidelity(self) -> str:
        """Which cost model predicted the plans."""
        said = _part(_part(self.values, "job", dict), "fidelity", str)
        if said not in FIDELITIES:
            raise unknown("fidelity", said, FIDELITIES)
        return str(said)

    @property
    def assumed(self) -> tuple[str, ...]:
        """What the user had not said, a line each."""
        return tuple(map(str, _part(self.values, "assumed", list)))

    def _plan(self, rank: int) -> Mapping[str, Any]:
        plans = _part(self.values, "plans", list)
        if not plans and self.values.get("nearest"):
            raise InputError("nothing fits in this plan: there is no layout to take from it")
        if not 1 <= rank <= len(plans):
            raise InputError(f"the plan has {len(plans)} layouts; there is no rank {rank}")
        return cast("Mapping[str, Any]", _part(dict(enumerate(plans, start=1)), rank, dict))

    def exact(self, hardware: str | None = None) -> Planned:
        """Return the layout with the exact stages that its framework can run.

        Raises
        ------
        InputError
            If the search was not one with ``--searcher dp`` or ``ilp``.
        """
        inner = self.values.get("inner")
        if not isinstance(inner, Mapping) or not isinstance(inner.get("runnable"), Mapping):
            raise InputError(
                "the plan has no exact stages that can be run; plan3d search --searcher dp --json "
                "finds them"
            )
        runs = inner["runnable"]
        job = self.job(hardware)
        layout = read_layout(_part(inner, "layout_option", str), job)
        layout, stages = _exact(layout, runs)
        about = self.about(runs, layout)
        return Planned(job=job, layout=layout, stages=stages, about=about)

    def job(self, hardware: str | None = None) -> Job:
        """Return the question."""
        said = _part(self.values, "job", dict)
        shape = {k: v for k, v in _part(said, "shape", dict).items() if v is not None}
        gpus = _part(said, "gpus", int)
        if isinstance(gpus, bool) or not 1 <= gpus <= MAX_GPUS:
            raise InputError(
                f"{SOURCE}: job.gpus is {str(gpus)[:40]}, but must be from 1 to {MAX_GPUS:,}"
            )
        return Job(
            model=model_spec(shape, "job.shape"),
            work=Workload(
                seq=_part(said, "seq", int),
                global_batch=_part(said, "global_batch", int),
                precision=precision_named(_part(said, "precision", str)),
                optimizer=optimizer_named(_part(said, "optimizer", str)),
            ),
            cluster=_cluster(_part(said, "hardware", str), hardware),
            software=hardware_profiles.software(_part(said, "software", str)),
            gpus=gpus,
        )

    def about(self, plan: Mapping[str, Any], layout: Layout) -> tuple[str, ...]:
        """Return what the file says of itself."""
        said = _part(self.values, "job", dict)
        predicted = f"predicted: {seconds(_number(plan, 'step_time_s'))} per step"
        if not isinstance(plan.get("memory_bytes"), list):  # exact stages have one each
            used, of = (gib(_number(plan, name)) for name in ("memory_bytes", "capacity_bytes"))
            fits = "" if plan.get("fits") else ": does NOT fit"
            predicted += f", {used} of {of} GiB on the fullest GPU{fits}"
        return (
            f"plan3d {self.values['version']}: {said.get('model')} on {said.get('gpus')} GPUs of "
            f"{said.get('hardware')}, software {said.get('software')}",
            as_option(layout),
            predicted,
            *self.assumed,
        )


def read_plan(text: str) -> PlanFile:
    """Return the plan that a text holds.

    Raises
    ------
    InputError
        If it is none, or one of another version.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{SOURCE}: not JSON: {error}") from error
    if not isinstance(values, dict) or not {"version", "job", "plans"} <= set(values):
        raise InputError(f"{SOURCE}: it has no version, job and plans")
    if values["version"] != plan3d.__version__:
        raise InputError(
            f"the plan was written by plan3d {values['version']!s:.40}, and this is "
            f"{plan3d.__version__}: layouts are predicted differently; run the search again"
        )
    return PlanFile(values=values)


def _cluster(said: str, hardware: str | None) -> Cluster:
    """Return the cluster that is given, or the one that the plan names."""
    if hardware is not None:
        return cluster_named(hardware)
    try:
        return hardware_profiles.load(said)
    except InputError as error:
        raise InputError(f"{error}; was it of a file, give --hardware FILE.toml") from error


def _part(values: Mapping[Any, Any], name: object, kind: type) -> Any:
    """Return a value that has to be there."""
    value = values.get(name)
    if not isinstance(value, kind):
        found = "missing" if value is None else f"a {type(value).__name__}"
        raise InputError(f"{SOURCE}: {name} is {found}, but must be a {kind.__name__}")
    return value


def _number(values: Mapping[str, Any], name: str) -> float:
    value = values.get(name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or not number or not 0 < value < LARGEST:
        raise InputError(f"{SOURCE}: {name} is {value!r:.40}, but must be a number above 0")
    return float(value)


def _layout(values: Mapping[str, Any]) -> Layout:
    """Return the layout that `plan3d.cli.words.spelled` wrote."""
    if set(values) != set(FIELDS):
        wrong = sorted(set(values) ^ set(FIELDS))
        raise InputError(f"{SOURCE}: layout has {', '.join(wrong)} too much, or not at all")
    given = dict(values)
    kinds = {name: type(getattr(Layout(), name)) for name in WORDS}
    for axis, words in WORDS.items():
        if not isinstance(given[axis], str) or given[axis] not in words:
            raise InputError(f"{SOURCE}: layout.{axis} is {given[axis]!r:.40}")
        given[axis] = kinds[axis](int(words[given[axis]]))
    return Layout(**given)


def _exact(layout: Layout, runs: Mapping[str, Any]) -> tuple[Layout, tuple[int, ...]]:
    """Return a layout with the recomputation of exact stages, and their layers."""
    stages = _whole(_part(runs, "layers", list))
    options = _part(runs, "recompute", list)
    kinds = {str(option) for option in options}
    words = {kind.name.lower(): kind for kind in Recompute}
    values: dict[str, Any] = {name: getattr(layout, name) for name in FIELDS}
    if len(kinds) == 1 and kinds <= set(words):
        values |= {"recompute": words[kinds.pop()], "recompute_layers": 0}
    elif kinds == {"none", "full"} and len(options) == sum(stages):
        # one rule for all chunks: the first layers of each
        each = max(options[start : start + n].count("full") for start, n in _starts(stages))
        count = each * layout.vpp
        values |= {"recompute": Recompute.BLOCK, "recompute_layers": count}
    else:
        raise InputError(f"recomputation of {', '.join(sorted(kinds))} layers has no words here")
    return Layout(**values), stages


def _starts(stages: Sequence[int]) -> list[tuple[int, int]]:
    return [(sum(stages[:i]), n) for i, n in enumerate(stages)]


def _whole(values: Sequence[Any]) -> tuple[int, ...]:
    if not values or any(type(n) is not int or n < 1 for n in values):
        raise InputError(f"{SOURCE}: layers of the stages are not whole numbers")
    return tuple(values)
