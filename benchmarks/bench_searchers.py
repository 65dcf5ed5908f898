"""How many real trials each searcher needs: docs/searchers.md and docs/searchers.png.

Run as ``OMP_NUM_THREADS=1 python benchmarks/bench_searchers.py``. The black box is a recorded
sweep: the layouts that a source measured are the space, their measured times the answers. Some
ten minutes on two cores that do nothing else, two processes of one thread; needs torch.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from math import inf, isinf
from pathlib import Path
from typing import NamedTuple

import numpy as np
from searchers_figure import figure

import plan3d
from plan3d.cli.commands.validate_command import Shipped
from plan3d.planner.constraints import parse_fix
from plan3d.planner.searchers.boxes import closed_form, fastest, recorded
from plan3d.planner.searchers.grid import Grid, grid_from, grid_of
from plan3d.planner.searchers.protocols import BlackBox, History, StopSearchError, Trial
from plan3d.planner.searchers.pruning import pruned
from plan3d.planner.searchers.table import SEARCHERS
from plan3d.planner.validation import Prediction, validate
from plan3d.planner.validation.recorded import recorded_runs
from plan3d.simulator.layout import Layout, LayoutTable

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
TEXT = HERE / "searchers_text.md"
SUITES = ("aa-layouts", "ultra", "vtrain-multi", "bloom")
SEEDS = range(20)
TRIALS = 25
FEWEST = 5
"""Different layouts that make a sweep."""
REFERENCE = {
    "llama-3-8b, 16 GPUs": ("llama-3-8b", 16, ("zero=1", "recompute=selective")),
    "gpt175b, 64 GPUs": ("gpt175b", 64, ("zero=1", "recompute=full")),
    "llama-3-70b, 64 GPUs": ("llama-3-70b", 64, ("zero=1", "recompute=selective")),
}
SMALL = {
    "llama-3-70b, 64 GPUs, cp=1": ("llama-3-70b", 64, ("zero=1", "recompute=selective", "cp=1")),
    "llama-3-8b, 16 GPUs, cp=1": ("llama-3-8b", 16, ("zero=1", "recompute=selective", "cp=1")),
    "gpt175b, 64 GPUs, cp=1, tp=8": ("gpt175b", 64, ("zero=1", "recompute=full", "cp=1", "tp=8")),
}
"""Where every searcher goes on until it has the optimum."""
COMPARED = tuple(name for name in SEARCHERS if name != "nsga2")
"""Those that have one objective."""
EVALUATIONS = {
    "random": 1000,
    "annealing": 1000,
    "evolution": 1000,
    "cmaes": 300,
    "policy": 300,
    "tpe": 150,
    "bayesian": 150,
    "gp": 30,
}
"""On the closed form: fewer where a proposal takes longer. What starts from it is left out."""
FEWER = {"gp": range(5)}
"""Seeds of what takes seconds a search."""


class Sweep(NamedTuple):
    """The layouts that a source tried of one job."""

    suite: str
    grid: Grid
    trials: tuple[Trial, ...]


def sweeps() -> Iterator[Sweep]:
    """Yield the recorded sweeps with at least `FEWEST` different layouts that ran."""
    groups: dict[tuple[object, ...], list[Prediction]] = defaultdict(list)
    for p in validate(recorded_runs(), Shipped()).predictions:
        run = p.run
        if run.suite in SUITES and (p.measured_s is not None or run.oom):
            question = (run.source, run.model, run.gpus, run.seq, run.global_batch)
            groups[question].append(p)
    for group in groups.values():
        kept = fastest(trial_of(p) for p in group)
        if sum(t.ok for t in kept.values()) < FEWEST:
            continue
        # Predicted as the runs of a layout are at their best, whichever of them was the fastest.
        said = [[p for p in group if p.layout == layout] for layout in kept]
        rows = [min(of_layout, key=lambda p: p.predicted_s) for of_layout in said]
        grid = grid_from(
            LayoutTable.of(kept),
            predicted_s=np.array([p.predicted_s for p in rows]),
            filled=np.array([p.estimate.memory_bytes / p.estimate.capacity_bytes for p in rows]),
        )
        yield Sweep(group[0].run.suite, grid, tuple(kept.values()))


def trial_of(p: Prediction) -> Trial:
    """Return what a source says became of a layout."""
    if p.measured_s is None:
        return Trial(layout=p.layout, over_bytes=inf)
    return Trial(layout=p.layout, time_s=p.measured_s)


def curves(sweep: Sweep) -> dict[str, list[list[float]]]:
    """Return regret after each trial, by searcher and seed; the last holds to the end."""
    best = min(t.time_s for t in sweep.trials if t.ok)
    found: dict[str, list[list[float]]] = {}
    for name in COMPARED:
        found[name] = []
        for seed in FEWER.get(name, SEEDS):
            box = recorded(sweep.trials)
            history = SEARCHERS[name](sweep.grid, box, budget=TRIALS, seed=seed)
            regret = [s / best - 1 for s in history.best_so_far_s()]
            found[name].append(regret + regret[-1:] * (TRIALS - len(regret)))
    return found


def reference(question: tuple[str, int, tuple[str, ...]]) -> tuple[Grid, tuple[Trial, ...]]:
    """Return the layouts that the closed form does not rule out, and what it says of each."""
    model, gpus, fixes = question
    job = plan3d.job(model, gpus)
    grid = pruned(grid_of(job, constraints=tuple(parse_fix(text) for text in fixes)))
    box = closed_form(job)
    return grid, tuple(box(grid.table.row(i)) for i in range(len(grid)))


def solved(task: tuple[str, str]) -> str:
    """Return how many seeds of a searcher found an optimum, and after how many evaluations."""
    problem, name = task
    grid, trials = reference(REFERENCE[problem])
    best = min(t.time_s for t in trials if t.ok)
    found = [
        SEARCHERS[name](grid, recorded(trials), budget=EVALUATIONS[name], seed=seed)
        for seed in FEWER.get(name, SEEDS)
    ]
    return f"{hits(found, best * (1 + 1e-9))} ({hits(found, 1.02 * best)})"


def until_found(task: tuple[str, str]) -> str:
    """Return after how many evaluations a searcher had the optimum: median of the seeds, worst."""
    problem, name = task
    grid, trials = reference(SMALL[problem])
    best = min(t.time_s for t in trials if t.ok)
    found = []
    for seed in FEWER.get(name, SEEDS):
        history = SEARCHERS[name](grid, until(trials, best), budget=len(grid), seed=seed)
        found.append(history.trials_to(best))
    counts = sorted(n for n in found if n is not None)
    worst = f"{counts[-1]}" if len(counts) == len(found) else f"{len(counts)}/{len(found)} found"
    return f"{counts[(len(counts) - 1) // 2]} ({worst})"


def until(trials: Iterable[Trial], best_s: float) -> BlackBox:
    """Return recorded trials as a box that ends the search after the optimum."""
    known = recorded(trials)
    done = False

    def box(layout: Layout, /) -> Trial:
        nonlocal done
        if done:
            raise StopSearchError("the optimum is found")
        found = known(layout)
        done = found.ok and found.time_s <= best_s
        return found

    return box


def hits(found: Sequence[History], time_s: float) -> str:
    """Return how many reached a time, and after how many evaluations half of all had."""
    first = sorted(inf if (n := h.trials_to(time_s)) is None else n for h in found)
    half = first[(len(first) - 1) // 2]
    reached = f"{sum(n < inf for n in first)}/{len(first)}"
    return f"{reached}, {half:,}" if half < inf else reached


def needed(regrets: Iterable[Sequence[float]], within: float) -> str:
    """Return the median of the trials until regret is within a bound."""
    first = [next((i for i, r in enumerate(c, 1) if r <= within), inf) for c in regrets]
    middle = float(np.sort(first)[len(first) // 2])
    return f"> {TRIALS}" if isinf(middle) else f"{middle:.0f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def trials_table(
    all_sweeps: Sequence[Sweep], found: Sequence[Mapping[str, list[list[float]]]]
) -> str:
    """Return the medians by suite, and over all sweeps."""
    counts = {s: sum(x.suite == s for x in all_sweeps) for s in SUITES}
    head = ["searcher", *(f"{s} ({n})" for s, n in counts.items() if n), "all", "all, sweeps ≤ 5"]
    rows = []
    for name in found[0]:
        pooled = {s: [c for x, f in zip(all_sweeps, found, strict=True) if x.suite == s
                      for c in f[name]] for s in counts if counts[s]}  # fmt: skip
        pooled["all"] = [c for f in found for c in f[name]]
        few = sum(needed(f[name], 0.02) in map(str, range(1, 6)) for f in found)
        cells = [f"{needed(c, 0.02)} ({needed(c, 0.05)})" for c in pooled.values()]
        rows.append([name, *cells, f"{few} of {len(found)}"])
    return table(head, rows)


def main() -> None:
    """Write the page and its figure."""
    all_sweeps = list(sweeps())
    tasks = [(problem, name) for name in EVALUATIONS for problem in REFERENCE]
    easy = [(problem, name) for name in EVALUATIONS for problem in SMALL]
    with ProcessPoolExecutor(2) as pool:
        answers = pool.map(solved, tasks)
        ends = pool.map(until_found, easy)
        found = list(pool.map(curves, all_sweeps))
        cells = dict(zip([*tasks, *easy], [*answers, *ends], strict=True))
    sizes = {problem: len(reference(question)[0]) for problem, question in REFERENCE.items()}
    rows = [
        [name, f"{most:,}", *(cells[problem, name] for problem in REFERENCE)]
        for name, most in EVALUATIONS.items()
    ]
    head = ["searcher", "evaluations", *(f"{problem}: {n:,}" for problem, n in sizes.items())]
    small = [[name, *(cells[problem, name] for problem in SMALL)] for name in EVALUATIONS]
    counts = {problem: len(reference(question)[0]) for problem, question in SMALL.items()}
    parts = {
        "small": table(["searcher", *(f"{k}: {n:,}" for k, n in counts.items())], small),
        "trials": trials_table(all_sweeps, found),
        "reference": table(head, rows),
        "sweeps": str(len(all_sweeps)),
        "layouts": f"{min(len(s.grid) for s in all_sweeps)} to "
        f"{max(len(s.grid) for s in all_sweeps)}",
        "seeds": str(len(SEEDS)),
        "fewer": str(len(FEWER["gp"])),
        "most": str(TRIALS),
    }
    text = TEXT.read_text(encoding="utf-8")
    for name, value in parts.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    (DOCS / "searchers.md").write_text(text, encoding="utf-8")
    figure(found, TRIALS).savefig(DOCS / "searchers.png")
    print(parts["trials"], parts["small"], parts["reference"], sep="\n\n")


if __name__ == "__main__":
    main()
