"""What was learnt from published runs about how wrong predictions are, and its file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil, floor
from pathlib import Path
from typing import Any, Final

from plan3d.planner.uncertainty.chances import GRID, MemoryChance
from plan3d.planner.uncertainty.conformal import Band
from plan3d.planner.uncertainty.regimes import Regime
from plan3d.simulator.errors import InputError

SHIPPED: Final = Path(__file__).with_name("intervals.toml")
"""Written by benchmarks/intervals.py."""
UNION: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How wrong predictions are."""

    runs: str
    """Name of the file of runs behind it."""
    digest: str
    """First digits of the SHA-256 of that file."""
    date: str
    """When it was computed."""
    gpus: frozenset[str]
    """GPUs that the runs used."""
    time: Mapping[Regime, Band]
    """Residuals of step times, by regime."""
    union: Band
    """Those of all regimes together."""
    memory: Band
    """Residuals of peak memory."""
    out_of_memory: MemoryChance
    spreads: Mapping[str, tuple[float, ...]]
    """Residuals of times around the median of their sweep, by suite. [1]"""

    def knows(self, gpu: str) -> bool:
        """Return whether runs used such a GPU: its memory and board make no difference here."""
        return _chip(gpu) in map(_chip, self.gpus)


def _chip(gpu: str) -> str:
    """Return what is before the memory of a GPU's name: a100 of a100-80g-sxm."""
    return gpu.split("-", 1)[0]


@cache
def shipped() -> Calibration:
    """Return the calibration that ships with plan3d, read once."""
    return read(SHIPPED)


def read(path: Path) -> Calibration:
    """Read a calibration.

    Raises
    ------
    InputError
        If there is no such file, or it is not a whole calibration.
    """
    again = "write it anew: python benchmarks/intervals.py"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        return _calibration(found)
    except OSError as error:
        raise InputError(f"{path}: cannot read it: {error.strerror}; {again}") from None
    except KeyError as error:
        raise InputError(f"{path}: {error} is missing; {again}") from None
    except (ValueError, TypeError, AttributeError, InputError) as error:
        raise InputError(f"{path}: not a calibration: {error}; {again}") from None


def _calibration(found: Mapping[str, Any]) -> Calibration:
    chance = found["out_of_memory"]
    if not chance["slope"] > 0:
        raise InputError(f"out_of_memory.slope is {chance['slope']}, but must be positive")
    return Calibration(
        runs=str(found["runs"]),
        digest=str(found["digest"]),
        date=str(found["date"]),
        gpus=frozenset(found["gpus"]),
        time={regime: _band(found["time"][regime.label]) for regime in Regime},
        union=_band(found["time"][UNION]),
        memory=_band(found["memory"]),
        out_of_memory=MemoryChance(
            residuals=_grids(chance["residuals"]),
            shift=float(chance["shift"]),
            slope=float(chance["slope"]),
        ),
        spreads=_grids(found["spreads"]),
    )


def _band(found: Mapping[str, Any]) -> Band:
    return Band(
        low=float(found["low"]),
        high=float(found["high"]),
        runs=int(found["runs"]),
        suites=int(found["suites"]),
        inflation=float(found["inflation"]),
    )


def _grids(found: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """Return residuals by suite: `GRID` of each, in order."""
    grids = {str(suite): tuple(map(float, values)) for suite, values in found.items()}
    for suite, values in grids.items():
        if len(values) != GRID or list(values) != sorted(values):
            raise InputError(f"{suite}: not {GRID} numbers in order")
    if not grids:
        raise InputError("no suite has residuals")
    return grids


def as_toml(found: Calibration) -> str:
    """Write a calibration as `read` reads it."""
    chance, lines = found.out_of_memory, [HEAD]
    gpus = ", ".join(f'"{gpu}"' for gpu in sorted(found.gpus))
    lines += [f'{name} = "{getattr(found, name)}"' for name in ("runs", "digest", "date")]
    lines += [f"gpus = [{gpus}]"]
    bands = {UNION: found.union, **{r.label: found.time[r] for r in Regime}}
    for name, band in (*((f"time.{k}", b) for k, b in bands.items()), ("memory", found.memory)):
        # Outwards, so that the run which sets an end stays inside; what is rounded stays as it is.
        low, high = floor(1e4 * band.low + 1e-6) / 1e4, ceil(1e4 * band.high - 1e-6) / 1e4
        lines += ["", f"[{name}]", f"low = {low:.4f}", f"high = {high:.4f}"]
        lines += [f"runs = {band.runs}", f"suites = {band.suites}"]
        lines += [f"inflation = {band.inflation:.4f}"]
    lines += ["", "[out_of_memory]", f"shift = {chance.shift:.4f}", f"slope = {chance.slope:.4f}"]
    lines += ["", "[out_of_memory.residuals]"]
    lines += [f'"{k}" = {list(v)}' for k, v in chance.residuals.items()]
    lines += ["", "[spreads]", *(f'"{k}" = {list(v)}' for k, v in found.spreads.items())]
    return "\n".join((*lines, ""))


HEAD: Final = """\
# How wrong predictions are: residuals log(predicted / measured) of published runs.
# Written by `python benchmarks/intervals.py`; not to be edited.
"""
