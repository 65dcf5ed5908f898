"""What `plan3d check` says: how far predictions and measurements are apart, and where."""

from collections.abc import Iterator
from typing import Final

from plan3d.cli.report import Report, Table
from plan3d.cli.words import GIB, percent, seconds
from plan3d.hardware_profiles.whole_step.compare import JUDGED, QUANTITIES, Comparison, Pair
from plan3d.hardware_profiles.whole_step.grid import SOFTWARE

NAMES: Final = {
    "step_s": "step time",
    "forward_s": "forward pass",
    "backward_s": "backward pass",
    "peak_bytes": "peak memory",
    "reserved_bytes": "reserved memory",
}
"""The quantities in words."""
MIB: Final = 2.0**20


def report(result: Comparison) -> Report:
    """Report a comparison."""
    timed = "step_s" in result.errors
    return Report(
        answer=tuple(_answer(result)),
        tables=(_errors(result), _pairs(result, timed)),
        grounds=tuple(_grounds(result, timed)),
    )


def _answer(result: Comparison) -> Iterator[str]:
    word = "passed" if result.passed else "FAILED"
    yield (
        f"{word}: {len(result.pairs)} configurations on {result.device}, predicted with "
        f"{result.cluster}"
    )
    for quantity in JUDGED:
        if quantity in result.errors:
            errors = result.errors[quantity]
            sign = "within" if errors.median <= result.tolerance else "NOT within"
            yield (
                f"{NAMES[quantity]}: median error {percent(errors.median)}, {sign} "
                f"{percent(result.tolerance)}"
            )
        else:
            yield f"{NAMES[quantity]}: not measured on {result.device}, so not compared"
    if result.ran_out:
        foreseen = sum(not pair.predicted.fits for pair in result.ran_out)
        yield (
            f"out of memory: {len(result.ran_out)} configurations, {foreseen} of them predicted "
            f"not to fit, {len(result.misjudged)} predicted to fit by the tolerance"
        )


def _errors(result: Comparison) -> Table:
    return Table(
        title="Errors: predicted over measured, less one",
        head=("quantity", "measured", "median", "90 % below", "bias"),
        rows=tuple(
            (NAMES[name], f"{e.n}", percent(e.median), percent(e.p90), f"{100 * e.bias:+.1f} %")
            for name in QUANTITIES
            if (e := result.errors.get(name)) is not None
        ),
    )


def _pairs(result: Comparison, timed: bool) -> Table:
    unit, size = ("GiB", GIB) if timed else ("MiB", MIB)
    sides = [f"predicted [{unit}]", f"measured [{unit}]", "error"]
    head = ["configuration", *(("step predicted", "measured", "error") if timed else ()), *sides]

    def cells(pair: Pair) -> Iterator[str]:
        yield str(pair.case)
        measured, predicted = pair.measured, pair.predicted
        if timed:
            yield seconds(predicted.step_s)
            yield "-" if measured.step_s is None else seconds(measured.step_s)
            yield _signed(pair.error("step_s"))
        yield f"{predicted.peak_bytes / size:,.1f}"
        if measured.peak_bytes is None:
            yield "out of memory"
        else:
            yield f"{measured.peak_bytes / size:,.1f}"
        yield _signed(pair.error("peak_bytes"))

    rows = tuple(tuple(cells(pair)) for pair in result.pairs)
    return Table(title="Configurations", head=tuple(head), rows=rows)


def _signed(error: float | None) -> str:
    return "-" if error is None else f"{100 * error:+.1f} %"


def _grounds(result: Comparison, timed: bool) -> Iterator[str]:
    used = sorted({SOFTWARE[pair.case.style] for pair in result.pairs})
    yield f"software {' and '.join(used)}: one GPU, one micro-batch, a step and its update"
    yield (
        "passed: the median of |predicted / measured - 1| is within the tolerance for step time "
        "and for peak memory, and no configuration runs out of memory that is predicted to fit by "
        "the tolerance; a quantity that was not measured does not count"
    )
    if timed:
        yield (
            "peak memory: what tensors take (max_memory_allocated); reserved: what the allocator "
            "holds (max_memory_reserved), predicted with the fragmentation margin; neither has the "
            "CUDA context"
        )
    else:
        yield (
            "peak memory: of the tensors alive at a time; the CUDA context and fragmentation have "
            "no part in it, and a CPU says nothing about a GPU's time"
        )
