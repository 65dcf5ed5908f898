"""A calibration as a profile: a TOML file for ``--hardware``, each value with what it is from."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Final

from plan3d.hardware_profiles.build import key_of
from plan3d.hardware_profiles.fit.attention import KERNELS
from plan3d.hardware_profiles.fit.calibration import Calibration
from plan3d.hardware_profiles.fit.constants import Fitted
from plan3d.hardware_profiles.fit.law import LawFit
from plan3d.hardware_profiles.points.point import PASSING
from plan3d.simulator.hardware import Cluster

PARTS: Final = ("gpu", "node", "network")
"""The parts of a cluster."""


def profile_toml(calibration: Calibration, base: str, about: Mapping[str, str]) -> str:
    """Return the profile of a calibrated GPU over the shipped cluster `base`.

    What was fitted replaces the base's value; the rest, data sheet figures among it, stays.
    """
    head = [
        f"# {calibration.gpu}, calibrated: plan3d calibrate",
        *(f"# {key}: {value}" for key, value in about.items()),
        *_marked(calibration),
        f'base = "{base}"',
    ]
    tables: dict[str, list[str]] = {}
    for fits in calibration.fits.values():
        for fit in fits:
            for table, lines in _tables(fit):
                if not table.startswith("gpu.attention.") or table not in tables:
                    tables.setdefault(table, []).extend(lines)
    body = [line for name, lines in sorted(tables.items()) for line in ("", f"[{name}]", *lines)]
    return "\n".join([*head, *body]) + "\n"


def _marked(calibration: Calibration) -> Iterator[str]:
    """Yield how many points were measured on a GPU that was busy or throttling."""
    for status in PASSING:
        count = sum(point.status == status for point in calibration.points)
        if count:
            yield f"# {status}: {count} of {len(calibration.points)} points, not fitted to"


def source(fit: LawFit) -> str:
    """Return how a fit's constants are known, for a profile."""
    found = fit.held_out
    return (
        f"plan3d calibrate: fit of {found.points} points, held-out error "
        f"{100 * found.median:.1f} % median, {100 * found.p90:.1f} % in 90 %"
    )


def _tables(fit: LawFit) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines of each table of the profile that a fit has values for."""
    first = fit.constants[0].key
    if first.startswith("gpu.attention."):
        kernel = first.removeprefix("gpu.attention.").rsplit(".", 1)[0]
        if kernel in KERNELS:
            yield f"gpu.attention.{KERNELS[kernel]}", _attention(fit)
        return
    for constant in fit.constants:
        table, _, field = constant.key.rpartition(".")
        if table:
            yield table, [_line(key_of(field)[0], constant, fit)]


def _line(key: str, constant: Fitted, fit: LawFit) -> str:
    """Return one value with its mark, source and standard error."""
    value = f'"{constant.text}"' if constant.unit else constant.text
    origin = f"{source(fit)}; +- {constant.error:.2g}{' ' * bool(constant.unit)}{constant.unit}"
    return f'{key} = {{ value = {value}, mark = "measured", source = "{origin}" }}'


def _attention(fit: LawFit) -> list[str]:
    """Return the values of one attention kernel, those by head width as lists."""
    by_name = {c.key.rsplit(".", 1)[1]: c for c in fit.constants}
    widths = sorted(int(n.rsplit("_", 1)[1]) for n in by_name if n.startswith("half_seq_"))
    lines = [
        'mark = "measured"',
        f'source = "{source(fit)}"',
        f"head_dims = {widths}",
        f"efficiency = [{', '.join(by_name[f'efficiency_{d}'].text for d in widths)}]",
        f"half_seq = [{', '.join(by_name[f'half_seq_{d}'].text for d in widths)}]",
    ]
    for name, constant in by_name.items():
        if not name.startswith(("efficiency_", "half_seq_")):
            lines.append(_line(key_of(name)[0], constant, fit))
    if "backward" not in by_name:
        assumed = 'backward = { value = 0.85, mark = "assumed", source = "forward points only" }'
        lines.append(assumed)
    return lines


def changes_toml(base: Cluster, changed: Cluster, parts: Mapping[str, object], origin: str) -> str:
    """Return the profile of a cluster that differs from one of shipped parts in some numbers.

    Parameters
    ----------
    base
        Of the parts alone.
    changed
        The same with other numbers.
    parts
        Names of its GPU, node and network, and its ``gpus_per_node``.
    origin
        What the other numbers are from, one line.
    """
    lines = [f"# {changed.name}: {origin}", f"gpus_per_node = {parts['gpus_per_node']}"]
    for part in PARTS:
        lines += ["", f"[{part}]", f'base = "{parts[part]}"']
        lines += _changed(part, base, changed, origin)
    return "\n".join(lines) + "\n"


def overlay_toml(name: str, base: Cluster, changed: Cluster, origin: str) -> str:
    """Return the profile of a cluster that differs from another in some numbers.

    Parameters
    ----------
    name
        Of the other: a shipped cluster, or a file, relative to where this profile will be.
    base, changed, origin
        As for `changes_toml`.
    """
    lines = [f"# {base.name}: {origin}", f"base = {json.dumps(name)}"]
    for part in PARTS:
        own = _changed(part, base, changed, origin)
        lines += ["", f"[{part}]", *own] if own else []
    return "\n".join(lines) + "\n"


def _changed(part: str, base: Cluster, changed: Cluster, origin: str) -> list[str]:
    """Return the lines of a part's numbers that differ, after the head of its own table."""
    own = list(_differences(part, getattr(base, part), getattr(changed, part)))
    lines = []
    for table in dict.fromkeys(table for table, _ in own):
        lines += [] if table == part else ["", f"[{table}]"]
        lines += ['mark = "measured"', f'source = "{origin}"']
        lines += [line for name, line in own if name == table]
    return lines


def _differences(table: str, base: object, changed: object) -> Iterator[tuple[str, str]]:
    """Yield table and line of each number that differs, those of a table together."""
    pairs = [(f.name, getattr(base, f.name), getattr(changed, f.name)) for f in fields(changed)]  # type: ignore[arg-type]
    for name, old, new in pairs:
        if not isinstance(new, Mapping) and not is_dataclass(new) and old != new:
            key, unit = key_of(name)
            number = [float(f"{v:.4g}") for v in new] if isinstance(new, tuple) else f"{new:.4g}"
            yield table, f'{key} = "{number} {unit}"' if unit else f"{key} = {number}"
    for name, old, new in pairs:
        if isinstance(new, Mapping):
            for key in new:
                yield from _differences(f"{table}.{name}.{key}", old[key], new[key])
        elif is_dataclass(new):
            yield from _differences(f"{table}.{name}", old, new)
