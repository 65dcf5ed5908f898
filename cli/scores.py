"""What a validation says, as tables."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from plan3d.cli.report import Report, Table
from plan3d.cli.words import percent
from plan3d.planner.uncertainty.coverage import Coverage, Coverages, coverage
from plan3d.planner.validation import Errors, Validation
from plan3d.planner.validation.unseen import unseen


def scores(result: Validation, *, by_suite: bool) -> Report:
    """Return the scores of a validation."""
    others = unseen(result.predictions)
    answer = (
        f"{len(result.predictions):,} runs predicted, {sum(result.skipped.values()):,} left out",
        *_lines(result, others),
        intervals_line(coverage(result.predictions)),
    )
    tables = [
        _counts("Left out", result.skipped),
        _counts("Assumed, where the source does not say", result.assumed),
    ]
    if by_suite:
        tables = [
            _suites("Step time by suite", result.time, others.time),
            _suites("Peak memory by suite", result.memory, others.memory),
            _sweeps(result, others),
            *tables,
        ]
    return Report(answer=answer, tables=tuple(table for table in tables if table.rows))


def intervals_line(found: Coverages) -> str:
    """Say how many runs are inside their 90 % intervals, and how wide these are."""
    parts = (_held("step time", found.time), _held("peak memory", found.memory))
    return f"90 % intervals as they ship hold: {'; '.join(parts)}"


def _held(name: str, found: Coverage | None) -> str:
    if found is None:
        return f"{name} unknown"
    return (
        f"{name} {percent(found.of_runs)} of {found.runs:,} runs ({percent(found.of_suites)} mean "
        f"over suites; upper over lower end {found.factor:.2f})"
    )


def _lines(result: Validation, unseen: Validation) -> Iterator[str]:
    """Say how good predictions are, each with how good they are where no constant was fitted.

    The latter are of the published runs among them.
    """
    own, which = ", in-sample", "each suite with constants fitted to the others"
    if not unseen.predictions or len(unseen.predictions) < len(result.predictions):
        own, which = "", f"the {len(unseen.predictions):,} published runs among them, {which}"
    for name, said in QUANTITIES.items():
        yield f"{name}{own}: {said(result)}"
        if unseen.predictions:
            yield f"{name}, {which}: {said(unseen)}"


def _error(errors: Errors) -> str:
    return (
        f"mean error {_fraction(errors.macro_mape)}, bias {_fraction(errors.macro_bias)} "
        f"(means over {len(errors.suites)} suites)"
    )


def _ranking(result: Validation) -> str:
    return (
        f"tau {_fraction(result.mean_tau, '.2f')}, regret {_fraction(result.mean_regret)} "
        f"({len(result.sweeps)} sweeps)"
    )


def _outcomes(result: Validation) -> str:
    accuracy = _fraction(result.oom_balanced_accuracy)
    return f"balanced accuracy {accuracy} ({result.oom_n:,} runs)"


def _fraction(value: float | None, digits: str = "") -> str:
    if value is None:
        return "unknown"
    return format(value, digits) if digits else percent(value)


def _suites(title: str, errors: Errors, unseen: Errors) -> Table:
    """Return the errors by suite; `unseen` are those of constants fitted to the other suites."""
    others = unseen.suites
    return Table(
        title=title,
        head=("suite", "runs", "mean error", "bias", "90 % below", *(["unseen"] if others else [])),
        rows=tuple(
            (
                name, f"{s.n:,}", percent(s.mape), percent(s.bias), percent(s.p90),
                *([percent(others[name].mape) if name in others else ""] if others else []),
            )
            for name, s in errors.suites.items()
        ),
    )  # fmt: skip


def _sweeps(result: Validation, unseen: Validation) -> Table:
    """Return the ranking by sweep, and the regret with constants fitted to the other suites."""
    others = [(percent(s.regret),) for s in unseen.sweeps]
    whole = len(others) == len(result.sweeps)
    last = ("regret", "unseen") if whole else ("regret",)
    return Table(
        title="Ranking by sweep",
        head=("source", "model", "GPUs", "runs", "tau", *last),
        rows=tuple(
            (
                s.source, s.model, f"{s.gpus:,}", f"{s.n}", f"{s.tau:.2f}", percent(s.regret),
                *(others[i] if whole else ()),
            )
            for i, s in enumerate(result.sweeps)
        ),
        words=(0, 1),
    )  # fmt: skip


def _counts(title: str, counts: Mapping[str, int]) -> Table:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Table(
        title=title, head=("what", "runs"), rows=tuple((text, f"{n:,}") for text, n in most)
    )


QUANTITIES: Final[Mapping[str, Callable[[Validation], str]]] = {
    "step time": lambda result: _error(result.time),
    "peak memory": lambda result: _error(result.memory),
    "ranking of layouts": _ranking,
    "out of memory": _outcomes,
}
"""What is scored, and how its score is said."""
