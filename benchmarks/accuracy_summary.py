"""The headline figures of the accuracy page."""

from collections.abc import Collection, Iterable, Iterator

import numpy as np
from accuracy_table import percent, table

from plan3d.planner.validation import Errors, Validation
from plan3d.planner.validation.report import summarise
from plan3d.planner.validation.unseen import unseen

HEAD = ("score", "in-sample", "leave one suite out", "in-sample, with what jobs recorded")
NEITHER = ("v100", "gb200", "b200", "h20")
"""GPUs that are neither A100 nor H100, nor an export variant of one."""


def summary(result: Validation, others: Validation, told: Validation) -> Iterator[str]:
    """Yield the headline figures: as runs stand, unseen, and with what their jobs recorded."""
    three = (result, others, told)
    every = set(result.time.suites)
    groups: dict[str, Collection[str]] = {
        "step time, mean over the suites": every,
        "all suites without `ultra`": every - {"ultra"},
        "all suites without `vtrain-single`": every - {"vtrain-single"},
    }
    singles = {name: {name} for name in ("vtrain-multi", "vtrain-single", "ultra")}
    rows = [
        (name, *(_mean(x.time, suites) for x in three))
        for name, suites in (groups | singles).items()
    ]
    rows[1:1] = [
        ("the same, runs on A100 and H100", *_of_plain(result), _of_plain(told)[0]),
        ("the same, runs on A100 and H100 but `ultra`", *_of_plain(result, "ultra"), None),
    ]
    rows[5:5] = [
        ("Megatron-LM 2021, table 1 (10 models)", *_of_ids(three, "mlm21-t1-")),
        ("Korthikanti et al. 2022 (8 runs)", *_of_ids(three, "korth22-0")),
    ]
    ultra, suites = {"ultra"}, set(result.memory.suites)
    rows += [
        ("peak memory, mean over the suites", *(_mean(x.memory, suites) for x in three)),
        ("the same without `ultra`", *(_mean(x.memory, suites - ultra) for x in three)),
        ("peak memory, ultra", *(_mean(x.memory, ultra) for x in three)),
        ("out of memory or not, balanced accuracy", *(x.oom_balanced_accuracy for x in three)),
        ("mean regret over the sweeps", *map(_regret, three)),
        ("the same without `ultra`", *(_regret(x, "ultra") for x in three)),
    ]
    yield from table(HEAD, ((name, *_cells(*values)) for name, *values in rows))


def _of_plain(result: Validation, without: str = "") -> tuple[float | None, float | None]:
    """Return the mean over suites, or all but one, of their runs on A100 and H100 [1]."""
    own = [
        p
        for p in result.predictions
        if not p.run.gpu.startswith(NEITHER) and p.run.suite != without
    ]
    return summarise(own, {}).time.macro_mape, unseen(own).time.macro_mape


def _cells(ours: float | None, unseen: float | None, told: float | None) -> tuple[str, str, str]:
    """Write three figures; the last only where it is another one than the first."""
    others = ["" if x is None else percent(x) for x in (unseen, told)]
    return percent(ours), others[0], "" if others[1] == percent(ours) else others[1]


def _mean(errors: Errors, names: Collection[str]) -> float:
    """Return the mean over some suites of their mean errors [1]."""
    return float(np.mean([errors.suites[name].mape for name in sorted(names)]))


def _of_ids(results: Iterable[Validation], prefix: str) -> Iterator[float]:
    """Yield the mean error of the runs whose id begins so, of each validation [1]."""
    for result in results:
        own = [p for p in result.predictions if p.run.id.startswith(prefix) and p.measured_s]
        yield float(np.mean([abs(p.predicted_s / (p.measured_s or 1.0) - 1) for p in own]))


def _regret(result: Validation, without: str = "") -> float:
    """Return the mean regret over the sweeps of all suites, or of all but one [1]."""
    return float(np.mean([s.regret for s in result.sweeps if s.suite != without]))
