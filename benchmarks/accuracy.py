"""Compare predictions with measured runs: docs/accuracy.md and docs/accuracy.png.

Run as ``python benchmarks/accuracy.py [RUNS.csv]``; without a file, on the runs that ship.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plan3d.cli.validate_command import Shipped
from plan3d.planner.validation import Prediction, Validation, published_runs, read_runs, validate

DOCS = Path(__file__).parents[1] / "docs"
HEAD = """\
# Accuracy

Predictions beside what published runs measured. Written, with its figure, by
`python benchmarks/accuracy.py`. `plan3d validate --by suite` prints the same scores, and
`--csv OUT.csv` every row.

![Measured against predicted step time of each run, and the error by suite](accuracy.png)

The error of a run is predicted over measured, less one. *Mean error* is the mean of its
magnitude, *bias* its mean (positive: predicted too slow, or too large), *90 % below* what nine in
ten errors are smaller than. The line *all* is the mean over the suites: each counts once, however
many runs it has.

**How far to trust this.** There is one set of constants per GPU, network and software generation
([constants](constants.md)), none per suite or run. But some constants of the software were fitted
to published runs, these among them (their source says which): the scores say how well few
constants describe many runs, not how well unseen ones are predicted; where a generation has runs
in one suite only, its constants are in effect that suite's. For a machine or software
that is not here, expect more. Where a source leaves something open, the usual choice is taken and
counted below; an open micro-batch or interleaving is the one predicted fastest, which flatters
the prediction of runs that chose worse."""
"""What the page says before the tables."""


def text(result: Validation) -> str:
    """Return the page."""
    return "\n".join((HEAD, *sections(result), ""))


def sections(result: Validation) -> Iterator[str]:
    """Yield the lines of the tables."""
    yield from ("", "## Step time", "")
    yield from table(
        ("suite", "source", "runs", "mean error", "bias", "90 % below"),
        (
            (name, sources(result, name), str(s.n), *map(percent, (s.mape, s.bias, s.p90)))
            for name, s in result.time.suites.items()
        ),
        ("all", "", "", percent(result.time.macro_mape), percent(result.time.macro_bias), ""),
    )
    yield from ("", "## Peak memory", "")
    yield from table(
        ("suite", "runs", "mean error", "bias", "90 % below"),
        (
            (name, str(s.n), *map(percent, (s.mape, s.bias, s.p90)))
            for name, s in result.memory.suites.items()
        ),
        ("all", "", percent(result.memory.macro_mape), percent(result.memory.macro_bias), ""),
    )
    if result.oom_n:
        found = percent(result.oom_balanced_accuracy)
        yield from ("", f"Out of memory or not: balanced accuracy {found}, {result.oom_n} runs.")
    yield from ("", "## Ranking of layouts", "")
    yield from (
        "Sweeps of at least five layouts of one job. *tau* is Kendall's rank correlation; *regret*",
        "is how much slower the layout predicted best was measured than the best measured.",
        "",
    )
    yield from table(
        ("source", "model", "GPUs", "layouts", "tau", "regret"),
        (
            (s.source, s.model, str(s.gpus), str(s.n), f"{s.tau:.2f}", percent(s.regret))
            for s in result.sweeps
        ),
    )
    for title, counts in (("Left out", result.skipped), ("Assumed", result.assumed)):
        yield from ("", f"## {title}", "")
        yield from table(("what", "runs"), counted(counts))


def counted(counts: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
    """Yield counts, the largest first."""
    return ((what, str(n)) for what, n in sorted(counts.items(), key=lambda c: (-c[1], c[0])))


def sources(result: Validation, suite: str) -> str:
    """Return what the runs of a suite are from, the most frequent sources first."""
    found = Counter(p.run.source for p in result.predictions if p.run.suite == suite)
    return ", ".join(source for source, _ in found.most_common(3))


def percent(value: float | None) -> str:
    """Write a fraction."""
    return "unknown" if value is None else f"{100 * value:.1f} %"


def table(
    head: tuple[str, ...], body: Iterable[tuple[str, ...]], *last: tuple[str, ...]
) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    for row in (head, ("---",) * len(head), *body, *last):
        yield f"| {' | '.join(row)} |"


def figure(result: Validation) -> Figure:
    """Draw measured against predicted times, and the errors by suite. No colour is needed."""
    timed = [p for p in result.predictions if p.measured_s is not None]
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        canvas = Figure(figsize=(9, 4), layout="constrained", dpi=120)
        left, right = canvas.subplots(1, 2, width_ratios=(1, 1.15))
        draw_times(left, timed)
        draw_errors(right, timed)
    return canvas


def draw_times(axes: Axes, timed: list[Prediction]) -> None:
    """Draw one point for each run."""
    measured = np.array([p.measured_s for p in timed], dtype=np.float64)
    predicted = np.array([p.predicted_s for p in timed])
    low, high = (
        min(measured.min(), predicted.min()) / 1.3,
        max(measured.max(), predicted.max()) * 1.3,
    )
    ends = np.array([low, high])
    axes.fill_between(ends, ends / 1.2, ends * 1.2, color="0.88", lw=0, label="within 20 %")
    axes.plot(ends, ends, color="0.4", lw=0.8, label="exact")
    axes.plot(measured, predicted, "o", mfc="none", mec="black", ms=4, mew=0.7, label="a run")
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set(xlabel="measured step time [s]", ylabel="predicted step time [s]")
    axes.legend(frameon=False, loc="upper left")


def draw_errors(axes: Axes, timed: list[Prediction]) -> None:
    """Draw the errors of each suite on a line of its own, its mean as a bar."""
    suites = sorted({p.run.suite for p in timed}, reverse=True)
    axes.axvspan(-20, 20, color="0.88", lw=0)
    axes.axvline(0, color="0.4", lw=0.8)
    for y, suite in enumerate(suites):
        errors = [100 * (p.predicted_s / p.measured_s - 1) for p in timed
                  if p.run.suite == suite and p.measured_s]  # fmt: skip
        spread = y + np.linspace(-0.28, 0.28, len(errors)) if len(errors) > 1 else [y]
        axes.plot(errors, spread, "o", mfc="none", mec="black", ms=4, mew=0.7)
        axes.plot([np.mean(errors)] * 2, [y - 0.4, y + 0.4], color="black", lw=2)
    axes.set_yticks(range(len(suites)), suites)
    widest = 1.05 * float(np.abs(axes.get_xlim()).max())
    axes.set(xlabel="error of the predicted step time [%] (bar: mean)", xlim=(-widest, widest))


def main() -> None:
    """Write the page and the figure."""
    runs = read_runs(sys.argv[1]) if len(sys.argv) > 1 else published_runs()
    result = validate(runs, Shipped())
    (DOCS / "accuracy.md").write_text(text(result), encoding="utf-8")
    figure(result).savefig(DOCS / "accuracy.png", metadata={"Software": None})


if __name__ == "__main__":
    main()
