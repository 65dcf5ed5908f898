"""What a validation says, as tables."""

from collections.abc import Iterator, Mapping

from plan3d.cli.report import Report, Table
from plan3d.cli.words import percent
from plan3d.planner.uncertainty.coverage import Coverage, Coverages, coverage
from plan3d.planner.validation import Errors, Validation
from plan3d.planner.validation.unseen import unseen_errors


def scores(result: Validation, *, by_suite: bool) -> Report:
    """Return the scores of a validation."""
    found = result.to_json()
    ranking: dict[str, float | None] = found["ranking"]  # type: ignore[assignment]
    answer = (
        f"{len(result.predictions):,} runs predicted, {sum(result.skipped.values()):,} left out",
        f"step time: {_error(result.time)}",
        *_unseen(result),
        f"peak memory: {_error(result.memory)}",
        f"ranking of layouts: tau {_fraction(ranking['mean_tau'], '.2f')}, "
        f"regret {_fraction(ranking['mean_regret'])} ({len(result.sweeps)} sweeps)",
        f"out of memory: balanced accuracy {_fraction(result.oom_balanced_accuracy)} "
        f"({result.oom_n:,} runs)",
        intervals_line(coverage(result.predictions)),
    )
    tables = [
        _counts("Left out", result.skipped),
        _counts("Assumed, where the source does not say", result.assumed),
    ]
    if by_suite:
        tables = [
            _suites("Step time by suite", result.time, unseen_errors(result.predictions)),
            _suites("Peak memory by suite", result.memory),
            _sweeps(result),
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


def _unseen(result: Validation) -> Iterator[str]:
    """Say how well suites are predicted that no constant was fitted to."""
    errors = unseen_errors(result.predictions)
    if errors.macro_mape is not None:
        yield (f"step time, each suite with constants fitted to the others: {_error(errors)}")


def _error(errors: Errors) -> str:
    return (
        f"mean error {_fraction(errors.macro_mape)}, bias {_fraction(errors.macro_bias)} "
        f"(means over {len(errors.suites)} suites)"
    )


def _fraction(value: float | None, digits: str = "") -> str:
    if value is None:
        return "unknown"
    return format(value, digits) if digits else percent(value)


def _suites(title: str, errors: Errors, unseen: Errors | None = None) -> Table:
    """Return the errors by suite; `unseen` are those of constants fitted to the other suites."""
    others = unseen.suites if unseen is not None else {}
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


def _sweeps(result: Validation) -> Table:
    return Table(
        title="Ranking by sweep",
        head=("source", "model", "GPUs", "layouts", "tau", "regret"),
        rows=tuple(
            (s.source, s.model, f"{s.gpus:,}", f"{s.n}", f"{s.tau:.2f}", percent(s.regret))
            for s in result.sweeps
        ),
        words=(0, 1),
    )


def _counts(title: str, counts: Mapping[str, int]) -> Table:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Table(
        title=title, head=("what", "runs"), rows=tuple((text, f"{n:,}") for text, n in most)
    )
