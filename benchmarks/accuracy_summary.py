"""The headline figures of the accuracy page."""

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
from accuracy_table import percent, table

from plan3d.planner.validation import Errors, Validation
from plan3d.planner.validation.report import summarise
from plan3d.planner.validation.unseen import unseen_errors

HEAD = ("score", "in-sample", "leave one suite out", "in-sample, with what jobs recorded")
NEITHER = ("v100", "gb200", "b200", "h20")
"""GPUs that are neither A100 nor H100, nor an export variant of one."""


def summary(result: Validation, unseen: Errors, told: Validation) -> Iterator[str]:
    """Yield the headline figures: as runs stand, unseen, and with what their jobs recorded."""
    every = set(result.time.suites)
    groups: dict[str, Collection[str]] = {
        "step time, mean over the suites": every,
        "all suites without `ultra`": every - {"ultra"},
        "all suites without `vtrain-single`": every - {"vtrain-single"},
    }
    singles = {name: {name} for name in ("vtrain-multi", "vtrain-single", "ultra")}
    rows = [
        (name, *(_mean(errors, suites) for errors in (result.time, unseen, told.time)))
        for name, suites in (groups | singles).items()
    ]
    rows[1:1] = [
        ("the same, runs on A100 and H100", *_of_plain(result), _of_plain(told)[0]),
        ("the same, runs on A100 and H100 but `ultra`", *_of_plain(result, "ultra"), None),
    ]
    rows[5:5] = [
        ("Megatron-LM 2021, table 1 (10 models)", *_of_ids(result, "mlm21-t1-"), None),
        ("Korthikanti et al. 2022 (8 runs)", *_of_ids(result, "korth22-0"), None),
    ]
    memory = (result.memory, told.memory)
    rows += [
        ("peak memory, mean over the suites", memory[0].macro_mape, None, memory[1].macro_mape),
        ("peak memory, ultra", _mean(memory[0], ["ultra"]), None, _mean(memory[1], ["ultra"])),
        ("mean regret over the sweeps", _regret(result), None, _regret(told)),
        ("the same without `ultra`", _regret(result, "ultra"), None, _regret(told, "ultra")),
    ]
    yield from table(HEAD, ((name, *_cells(*values)) for name, *values in rows))


def _of_plain(result: Validation, without: str = "") -> tuple[float | None, float | None]:
    """Return the mean over suites, or all but one, of their runs on A100 and H100 [1]."""
    own = [
        p
        for p in result.predictions
        if not p.run.gpu.startswith(NEITHER) and p.run.suite != without
    ]
    return summarise(own, {}).time.macro_mape, unseen_errors(own).macro_mape


def _cells(ours: float | None, unseen: float | None, told: float | None) -> tuple[str, str, str]:
    """Write three figures; the last only where it is another one than the first."""
    others = ["" if x is None else percent(x) for x in (unseen, told)]
    return percent(ours), others[0], "" if others[1] == percent(ours) else others[1]


def _mean(errors: Errors, names: Collection[str]) -> float:
    """Return the mean over some suites of their mean errors [1]."""
    return float(np.mean([errors.suites[name].mape for name in sorted(names)]))


def _of_ids(result: Validation, prefix: str) -> tuple[float, float]:
    """Return the mean error of the runs whose id begins so, in-sample and unseen [1]."""
    own = [p for p in result.predictions if p.run.id.startswith(prefix) and p.measured_s]
    renamed = [replace(p, run=replace(p.run, suite="own")) for p in own]
    errors = [abs(p.predicted_s / p.measured_s - 1) for p in own if p.measured_s]
    return float(np.mean(errors)), unseen_errors(renamed).suites["own"].mape


def _regret(result: Validation, without: str = "") -> float:
    """Return the mean regret over the sweeps of all suites, or of all but one [1]."""
    return float(np.mean([s.regret for s in result.sweeps if s.suite != without]))
