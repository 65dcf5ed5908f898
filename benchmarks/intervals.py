"""How wrong predictions are: learn planner/uncertainty/intervals.toml, and test what it says.

Run as ``python benchmarks/intervals.py [--dry]``, on the runs that ship; ``--dry`` prints and
writes nothing. Residuals are those of predictions that no fit saw, for that is how a new source is
predicted: published suites with constants fitted to the others (planner/validation/unseen.csv),
in the state of cluster and software that their jobs recorded, as a plan says which it is for; and
the runs of other sources (elsewhere.csv). Each test leaves out what it tests: a suite for the
intervals and for the chance to be near the best, a sweep for the chance to run out of memory.
"""

import datetime
import hashlib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np

from plan3d.cli.commands.validate_command import Shipped
from plan3d.planner.safer import safest_first
from plan3d.planner.uncertainty.calibration import SHIPPED, Calibration, as_toml
from plan3d.planner.uncertainty.chances import NEAR_BEST, MemoryChance, chance_near_best
from plan3d.planner.uncertainty.coverage import Coverage, Inside, inside_memory, inside_time
from plan3d.planner.uncertainty.fit import (
    Source,
    calibrate,
    demand,
    likeliest,
    ran_out,
)
from plan3d.planner.validation import Prediction, elsewhere_runs, published_runs, validate
from plan3d.planner.validation.recorded import RECORDED, recorded_runs
from plan3d.planner.validation.runs import ELSEWHERE, PUBLISHED
from plan3d.planner.validation.sweeps import both_outcomes, timed_sweeps
from plan3d.planner.validation.unseen import as_unseen
from plan3d.simulator.numeric import Bools, Floats

BINS = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0)
"""Edges of the rows of the reliability table."""


def main() -> None:
    """Write the calibration, print the tests."""
    shipped = validate(published_runs(), Shipped()).predictions
    others = validate(elsewhere_runs(), Shipped()).predictions
    told = validate(recorded_runs(), Shipped()).predictions
    learnt = (*map(as_unseen, told), *others)
    unseen = tuple(map(as_unseen, shipped))
    files = (PUBLISHED, RECORDED, ELSEWHERE)
    source = Source(
        runs=", ".join(file.name for file in files),
        digest=hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16],
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    )
    found = calibrate(learnt, source, both_outcomes(shipped))
    if "--dry" not in sys.argv:
        SHIPPED.write_text(as_toml(found), encoding="utf-8")
    left_out = without_each(learnt)
    show_bands(found)
    for kind, own, new in (
        ("published", shipped, unseen),
        ("with what jobs recorded", told, tuple(map(as_unseen, told))),
        ("other sources", others, others),
    ):
        for name, inside in (("step time", inside_time), ("peak memory", inside_memory)):
            new_inside = inside_left_out(new, left_out, inside)
            show_coverage(f"{name}, {kind}", inside(own, found), new_inside)
    show_reliability(shipped, found.out_of_memory)
    show_near_best((*unseen, *others), left_out)
    show_regret(shipped, left_out)


def without_each(learnt: Sequence[Prediction]) -> dict[str, Calibration]:
    """Return by suite what all others teach."""
    nowhere = Source(runs="", digest="", date="")
    return {suite: without(learnt, suite, nowhere) for suite in suite_names(learnt)}


def left_out_coverage(
    own: Sequence[Prediction], left_out: dict[str, Calibration]
) -> dict[str, Coverage | None]:
    """Return coverage by quantity, each suite left out of constants and intervals alike."""
    return {
        "step time": inside_left_out(own, left_out, inside_time).score(),
        "peak memory": inside_left_out(own, left_out, inside_memory).score(),
    }


def suite_names(predictions: Sequence[Prediction]) -> list[str]:
    """Return the suites in order."""
    return sorted({p.run.suite for p in predictions})


def without(predictions: Sequence[Prediction], suite: str, source: Source) -> Calibration:
    """Learn from all suites but one."""
    return calibrate([p for p in predictions if p.run.suite != suite], source)


def show(title: str, head: Sequence[str], rows: Iterator[Sequence[object]]) -> None:
    """Print a table."""
    print(f"\n{title}\n" + "  ".join(f"{h:>15}" for h in head))
    for row in rows:
        print("  ".join(f"{c:15.3f}" if isinstance(c, float) else f"{c!s:>15}" for c in row))


def show_bands(found: Calibration) -> None:
    """Print what was learnt."""
    bands = {"all": found.union, **{r.label: b for r, b in found.time.items()}}
    show(
        f"90 % of log(predicted / measured), from {found.runs} ({found.digest}, {found.date})",
        ("regime", "low", "high", "factor", "runs", "suites", "inflation"),
        (
            (k, b.low, b.high, b.factor, b.runs, b.suites, b.inflation)
            for k, b in {**bands, "memory": found.memory}.items()
        ),
    )


def inside_left_out(
    predictions: Sequence[Prediction],
    left_out: dict[str, Calibration],
    inside: Callable[[Sequence[Prediction], Calibration], Inside],
) -> Inside:
    """Return which runs are inside the intervals that their own suite had no part in."""
    return joined(
        [
            inside([p for p in predictions if p.run.suite == suite], left_out[suite])
            for suite in suite_names(predictions)
        ]
    )


def show_coverage(name: str, within: Inside, new: Inside) -> None:
    """Print the coverage by suite and by regime: as it ships, and with each suite left out."""
    learnt, unseen = by_group(within), by_group(new)
    show(
        f"{name}: inside the 90 % interval; of runs, of suites; upper over lower end",
        ("", "runs", "suites", "shipped: runs", "suites", "factor", "left out: runs", "suites",
         "factor"),
        (
            (k, a.runs, a.suites, a.of_runs, a.of_suites, a.factor, b.of_runs, b.of_suites,
             b.factor)
            for k, a, b in ((k, learnt[k], unseen.get(k)) for k in learnt)
            if a is not None and b is not None
        ),
    )  # fmt: skip


def by_group(table: Inside) -> dict[str, Coverage | None]:
    """Return the coverage by suite, by regime or kind of memory figure, and of all."""
    rows: dict[str, list[int]] = defaultdict(list)
    for i, p in enumerate(table.runs):
        rows[p.run.suite].append(i)
        rows[f"[{table.regime[i].label}]" if table.regime else f"[{kind_of(p)}]"].append(i)
        rows["all"].append(i)
    return {
        k: replace(
            table, runs=tuple(table.runs[i] for i in v), held=table.held[v], width=table.width[v]
        ).score()
        for k, v in sorted(rows.items(), key=lambda item: (item[0] == "all", "[" in item[0], item))
    }


def kind_of(prediction: Prediction) -> str:
    """Return what a memory figure counts, in the words of `measured.comparable_bytes`."""
    said = prediction.run.said
    names = ("nvidia-smi", "reserved")
    return next((name for name in names if name in said), "allocated")


def joined(parts: Sequence[Inside]) -> Inside:
    """Return several tables as one."""
    return Inside(
        runs=tuple(p for part in parts for p in part.runs),
        held=np.concatenate([part.held for part in parts]),
        width=np.concatenate([part.width for part in parts]),
        regime=tuple(r for part in parts for r in part.regime),
    )


def show_reliability(predictions: Sequence[Prediction], found: MemoryChance) -> None:
    """Print predicted chances to run out of memory beside what happened, sweep by sweep."""
    outcomes = both_outcomes(predictions)
    rows = [p for sweep in outcomes for p in sweep]
    plain = replace(found, shift=0.0, slope=1.0)
    chance, happened = [], ran_out(rows)
    for i, sweep in enumerate(outcomes):
        others = [p for j, other in enumerate(outcomes) if j != i for p in other]
        shift, slope = likeliest(plain, *demand(others), ran_out(others))
        chance.append(replace(plain, shift=shift, slope=slope)(*demand(sweep)))
    left_out = np.concatenate(chance)
    fits = np.array([not p.estimate.fits for p in rows], dtype=np.float64)
    print(f"\nout of memory: {len(rows)} runs, {happened.sum()} did, {len(outcomes)} sweeps")
    print(f"shift {found.shift:.3f}, slope {found.slope:.3f}")
    for name, p in (
        ("always the mean", np.full(len(rows), happened.mean())),
        ("fits or not", fits),
        ("residuals of memory alone", plain(*demand(rows))),
        ("fitted, this sweep left out", left_out),
        ("fitted", found(*demand(rows))),
    ):
        print(f"  Brier {np.mean((p - happened) ** 2):.4f}  {name}")
    show("reliability, this sweep left out", ("chance", "runs", "mean chance", "ran out"),
         reliability(left_out, happened))  # fmt: skip


def reliability(chance: Floats, happened: Bools) -> Iterator[Sequence[object]]:
    """Yield the rows of a reliability table."""
    for low, high in pairwise(BINS):
        rows = (chance >= low) & ((chance < high) | (high == BINS[-1]))
        if rows.any():
            yield (f"{low:g}-{high:g}", int(rows.sum()), float(chance[rows].mean()),
                   float(happened[rows].mean()))  # fmt: skip


def near_best(
    predictions: Sequence[Prediction], left_out: dict[str, Calibration]
) -> list[tuple[str, int, float, float]]:
    """Return by suite: sweeps, the chance said that the pick is near the best, how often it was.

    Of each sweep the chance is what all other suites teach; the last row is the mean of suites.
    """
    found: dict[str, list[tuple[float, bool]]] = {}
    for sweep in timed_sweeps(predictions):
        predicted = np.sort([p.predicted_s for p in sweep])
        suite = sweep[0].run.suite
        chance = chance_near_best(predicted, list(left_out[suite].spreads.values()))
        good = regret_of(sweep, pick_of(sweep, None)) <= NEAR_BEST
        found.setdefault(suite, []).append((chance, good))
    rows = [(s, len(v), *np.mean(v, axis=0).tolist()) for s, v in sorted(found.items())]
    mean = np.mean([row[2:] for row in rows], axis=0).tolist()
    return [*rows, ("mean of suites", sum(r[1] for r in rows), *mean)]


def show_near_best(predictions: Sequence[Prediction], left_out: dict[str, Calibration]) -> None:
    """Print the chance that the pick is near the best, and how often it was."""
    show(
        f"within {NEAR_BEST:.0%} of the best of its sweep, its suite left out",
        ("suite", "sweeps", "chance", "happened"),
        iter(near_best(predictions, left_out)),
    )


def show_regret(predictions: Sequence[Prediction], left_out: dict[str, Calibration]) -> None:
    """Print the regret of the fastest and of the safer pick, and how often they fail."""
    for name, kept in (("fastest", None), ("safer", left_out)):
        choose = partial(pick_of, known=kept)
        regret = [regret_of(s, choose(s)) for s in timed_sweeps(predictions)]
        mixed = [[p for p in s if p.estimate.fits] for s in both_outcomes(predictions)]
        failed = [bool(choose(s).run.oom) for s in mixed if s]
        print(
            f"{name:8s} mean regret {np.mean(regret):.4f} ({len(regret)} sweeps); "
            f"picks that ran out of memory: {sum(failed)} of {len(failed)}"
        )
    moved = sum(pick_of(s, None) is not pick_of(s, left_out) for s in timed_sweeps(predictions))
    print(f"the safer pick is another one in {moved} sweeps")


def pick_of(sweep: Sequence[Prediction], known: dict[str, Calibration] | None) -> Prediction:
    """Return the layout predicted fastest, or the safest of its near-ties."""
    time_s = np.array([p.predicted_s for p in sweep])
    order = np.argsort(time_s, kind="stable")
    if known is not None:
        chance = known[sweep[0].run.suite].out_of_memory
        order = safest_first(order, time_s, chance(*demand(sweep)))
    return sweep[int(order[0])]


def regret_of(sweep: Sequence[Prediction], picked: Prediction) -> float:
    """Return how much slower the pick was measured than the best measured, less 1."""
    measured = [p.measured_s for p in sweep if p.measured_s is not None]
    assert picked.measured_s is not None
    return picked.measured_s / min(measured) - 1


if __name__ == "__main__":
    main()
