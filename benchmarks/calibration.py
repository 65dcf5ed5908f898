"""Fit the published kernel points: docs/calibration.md (its tables) and docs/calibration.png.

Run as ``python benchmarks/calibration.py``. The points are benchmarks/points/*.csv.
"""

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
from accuracy import percent, table
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plan3d.hardware_profiles import load
from plan3d.hardware_profiles.fit import Calibration, Errors, LawFit, calibrate, choose
from plan3d.hardware_profiles.points import Point, read_points

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "calibration.md"
MARK = "<!-- fits: python benchmarks/calibration.py -->"
"""The tables of the page follow it, to the end."""
GPUS = {
    "a100-80g-sxm": "dgx-a100-80g", "h100-80g-sxm": "dgx-h100", "h200-141g-sxm": "dgx-h200",
    "b200-180g-sxm": "dgx-b200", "gb200": "gb200-nvl72",
}  # fmt: skip
LAWS = ("gemm", "fp8", "attention", "node", "network")
NCCL_TESTS = "nccl-tests"
NAMES = {"gemm": "matrix products", "attention": "attention", "node": "collectives"}
"""Titles of the figure."""


def fits() -> dict[str, list[tuple[str, Calibration]]]:
    """Return by GPU the fits to all points, and those to nccl-tests alone."""
    points: list[Point] = []
    for file in sorted((ROOT / "benchmarks" / "points").glob("*.csv")):
        points += read_points(file).points
    found: dict[str, list[tuple[str, Calibration]]] = {}
    for gpu, cluster in GPUS.items():
        own = choose(points, gpu)[1]
        laws = [law for law in LAWS if law != "network" or gpu == "h100-80g-sxm"]
        everything = calibrate(own, gpu, load(cluster), laws)
        plain = choose(own, gpu, NCCL_TESTS)[1]
        found[gpu] = [
            ("", everything),
            (", nccl-tests", calibrate(plain, gpu, load(cluster), ["node"])),
        ]
    return found


def lines(found: dict[str, list[tuple[str, Calibration]]]) -> Iterator[str]:
    """Yield the tables."""
    yield from ("", "### Errors on held-out points", "")
    head = ("GPU", "law", "points", "median", "90 % below", "one rate: median", "90 % below")
    yield from table(head, (row for gpu in found for row in errors(gpu, found[gpu])))
    yield from ("", "### Constants, and what ships", "")
    yield from (
        "What a fit of these points gives, with its standard error, beside the shipped value;",
        "`plan3d hardware show NAME` says what that one is from.",
        "",
    )
    head = ("GPU", "constant", "fitted", "standard error", "shipped")
    yield from table(head, (row for gpu in found for row in constants(gpu, found[gpu])))


def errors(gpu: str, parts: list[tuple[str, Calibration]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each law of a GPU, and one for all its attention kernels together."""
    for suffix, part in parts:
        for group, own in part.fits.items():
            for fit in own:
                yield gpu, fit.law + suffix, *scores(fit.held_out, fit.one_rate)
            if group == "attention":
                law, one = (
                    Errors.pooled([getattr(f, k) for f in own]) for k in ("held_out", "one_rate")
                )
                yield gpu, "attention, all kernels", *scores(law, one)


def scores(law: Errors, one: Errors) -> tuple[str, ...]:
    """Write the errors of a law, and of one constant rate."""
    return f"{law.points:,}", *map(percent, (law.median, law.p90, one.median, one.p90))


def constants(gpu: str, parts: list[tuple[str, Calibration]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each constant that the shipped profile has, too."""
    shipped = parts[0][1].cluster
    chosen = [fit for group in ("gemm", "fp8") for fit in parts[0][1].fits.get(group, ())]
    chosen += [fit for fit in parts[1][1].fits["node"] if fit.law == "collectives in a node"]
    for constant in (c for fit in chosen for c in fit.constants):
        value: object = shipped
        for name in constant.key.split("."):
            value = getattr(value, name)
        scale = {"us": 1e-6, "GB/s": 1e9, "us/sqrt(MB)": 1e-9}.get(constant.unit, 1.0)
        yield (
            gpu, constant.key, constant.text, f"{constant.error:.2g} {constant.unit}".strip(),
            f"{float(value) / scale:.4g} {constant.unit}".strip(),  # type: ignore[arg-type]
        )  # fmt: skip


def figure(found: dict[str, list[tuple[str, Calibration]]]) -> Figure:
    """Draw the held-out half of each law on the A100 and the H100."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        canvas = Figure(figsize=(9, 6), layout="constrained", dpi=120)
        rows = canvas.subplots(2, 3)
        for axes, gpu in zip(rows, ("a100-80g-sxm", "h100-80g-sxm"), strict=True):
            (_, everything), (_, plain) = found[gpu]
            for one, law in zip(axes, ("gemm", "attention", "node"), strict=True):
                own = (plain if law == "node" else everything).fits[law]
                draw(one, own, f"{gpu}: {NAMES[law]}")
    return canvas


def draw(axes: Axes, own: tuple[LawFit, ...], title: str) -> None:
    """Draw measured against fitted times of the held-out points of some laws."""
    measured = np.concatenate([f.measured_s[~f.fitted] for f in own]) * 1e3
    predicted = np.concatenate([f.predicted_s[~f.fitted] for f in own]) * 1e3
    ends = np.array([measured.min() / 1.5, measured.max() * 1.5])
    axes.fill_between(ends, ends / 1.2, ends * 1.2, color="0.88", lw=0)
    axes.plot(ends, ends, color="0.4", lw=0.8)
    axes.plot(measured, predicted, "o", mfc="none", mec="black", ms=3, mew=0.5)
    median = percent(Errors.pooled([f.held_out for f in own]).median)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set(
        xlabel="measured [ms]", ylabel="by the law [ms]", title=f"{title}\nmedian error {median}"
    )
    axes.title.set_fontsize(8)


def main() -> None:
    """Write the tables and the figure."""
    found = fits()
    page = PAGE.read_text(encoding="utf-8")
    kept = page[: page.index(MARK) + len(MARK)]
    PAGE.write_text("\n".join((kept, *lines(found), "")), encoding="utf-8")
    figure(found).savefig(PAGE.with_suffix(".png"), metadata={"Software": None})


if __name__ == "__main__":
    main()
