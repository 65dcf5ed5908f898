"""Points as a CSV file: one line each, appended as soon as it is measured.

The file begins with ``# key: value`` lines that say on what it was measured. A run that was
stopped is taken up again from its file; a last line cut short by the stop is measured again.
"""

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

from plan3d.hardware_profiles.points import published
from plan3d.hardware_profiles.points.point import KINDS, PASSING, STATUSES, Point, Shape, sized
from plan3d.simulator.errors import InputError

_SHAPE: Final = tuple(f.name for f in fields(Shape))
_TEXTS: Final = ("kind", "op", "dtype", "direction")
COLUMNS: Final = (*_SHAPE, "time_us", "spread", "repeats", "clock_mhz", "status", "note", "gpu",
                  "site")  # fmt: skip
LARGEST_BYTES: Final = 200_000_000
LARGEST: Final = 1e18


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsFile:
    """The contents of a points file."""

    about: Mapping[str, str]
    """GPU, driver, torch, clocks, date, seed: the ``# key: value`` lines."""
    points: tuple[Point, ...]
    cut_short: bool = False
    """The last line was not finished, and is not among the points."""

    @property
    def done(self) -> frozenset[Shape]:
        """The shapes that need not be measured again."""
        return frozenset(point.shape for point in self.points if point.status not in PASSING)


def read_points(path: Path) -> PointsFile:
    """Return the points of a file, of plan3d's own or of a published form.

    Raises
    ------
    InputError
        If it cannot be read, is no table of points, or a line of it is corrupt; the message names
        the line. The file is never changed.
    """
    text = _text(path)
    whole = text if text.endswith("\n") or not text else text[: text.rfind("\n") + 1]
    lines = whole.splitlines()
    about = dict(_about(lines))
    body = [(i, line) for i, line in enumerate(lines, 1) if line and not line.startswith("#")]
    if not body:
        raise InputError(f"{path}: no points in it; a header line and one line per point is wanted")
    header = next(csv.reader([body[0][1]]))
    own = {"kind", "op", "time_us"} <= set(header)
    if not own and not published.known(header):
        raise InputError(
            f"{path}: columns {', '.join(header)[:100]} are not those of measured points; "
            f"wanted are kind, op, time_us and the sizes (docs/calibration.md)"
        )
    points = []
    for (number, _), row in zip(body[1:], csv.DictReader(line for _, line in body), strict=False):
        try:
            found = _point(row) if own else published.point(row)
            points.append(found if found is None else replace(found, shape=sized(found.shape)))
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}, line {number}: {error}") from None
    return PointsFile(
        about=about, points=tuple(p for p in points if p is not None), cut_short=whole != text
    )


def start(path: Path, about: Mapping[str, str]) -> None:
    """Begin a file: what was measured on, and the header."""
    head = [f"# {key}: {' '.join(str(value).split())}" for key, value in about.items()]
    path.write_text("\n".join([*head, ",".join(COLUMNS)]) + "\n", encoding="utf-8")


def append(path: Path, points: Iterable[Point]) -> None:
    """Add points to a file that was begun, each a whole line once it is on disk."""
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows(_row(point) for point in points)


def repair(path: Path) -> None:
    """Drop a last line that was cut short, so that lines can be appended again."""
    text = _text(path)
    if text and not text.endswith("\n"):
        path.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a directory; give the name of a file")
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError(f"{path}: larger than {LARGEST_BYTES:,} bytes, so not a points file")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text, so not a points file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _about(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        key, colon, value = line.removeprefix("#").partition(":")
        if line.startswith("#") and colon:
            yield key.strip(), value.strip()


def _row(point: Point) -> list[object]:
    sizes = [getattr(point.shape, name) for name in _SHAPE]
    rest = [
        f"{point.time_s * 1e6:.4f}", f"{point.spread:.4f}", point.repeats,
        f"{point.clock_hz / 1e6:.0f}", point.status, " ".join(point.note.split()), point.gpu,
        point.site,
    ]  # fmt: skip
    return sizes + rest


def _point(row: dict[str, str]) -> Point:
    """Return the point of one line of plan3d's own form."""
    if row.get("site") is None:
        raise ValueError("fewer values than the header has columns")
    if None in row:
        raise ValueError("more values than the header has columns")
    shape: dict[str, str | int | float] = {name: row[name] for name in _TEXTS if name in row}
    for name in _SHAPE:
        if name not in _TEXTS and name in row:
            value = number(row[name], name)
            shape[name] = value if name == "elapsed_s" else int(value)
    if row["kind"] not in KINDS:
        raise ValueError(f"kind {row['kind']!r} is not one of {', '.join(KINDS)}")
    status = row.get("status") or "ok"
    if status not in STATUSES:
        raise ValueError(f"status {status!r} is not one of {', '.join(STATUSES)}")
    return Point(
        shape=Shape(**shape),  # type: ignore[arg-type]
        time_s=number(row["time_us"], "time_us") / 1e6,
        spread=number(row.get("spread") or "0", "spread"),
        repeats=int(number(row.get("repeats") or "0", "repeats")),
        clock_hz=number(row.get("clock_mhz") or "0", "clock_mhz") * 1e6,
        status=status,
        note=row.get("note", ""),
        gpu=row.get("gpu", ""),
        site=row["site"],
    )


def number(text: str, name: str) -> float:
    """Return a number that is 0 or more, or say which value is none."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} is {text[:40]!r}, not a number") from None
    if not math.isfinite(value) or not 0 <= value <= LARGEST:
        raise ValueError(f"{name} is {text[:40]!r}; a number from 0 to {LARGEST:g} is wanted")
    return value
