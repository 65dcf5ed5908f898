"""Published runs: what a source says about one measured layout, and reading files of them."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from plan3d.simulator.errors import InputError, unknown

PUBLISHED: Final = Path(__file__).with_name("published.csv")
"""The runs that ship with plan3d: tables of papers and READMEs, each row with its reference."""
ELSEWHERE: Final = Path(__file__).with_name("elsewhere.csv")
"""Runs of other sources, collected after the constants: no constant is fitted to them, ever."""
LARGEST: Final = 1e15
MAX_BYTES: Final = 200_000_000
NAMED: Final = 5
"""Rows that an error names, where none of a file can be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One row of a runs file. None, or an empty text, is what the source does not say."""

    id: str
    suite: str
    source: str = ""
    ref: str = ""
    year: int
    framework: str
    version: str = ""
    """What else is known of the software's state: a version, or before or after a fix."""
    model: str = "custom"
    layers: int
    hidden: int
    heads: int
    kv_heads: int | None = None
    head_dim: int | None = None
    """Where it is not hidden over heads."""
    ffn_hidden: int | None = None
    gated_mlp: int | None = None
    """1: three matrices (SwiGLU)."""
    vocab: int | None = None
    seq: int | None
    params_b: float | None = None
    """Parameters. [1e9]"""
    experts: int | None = None
    experts_topk: int | None = None
    moe_ffn: int | None = None
    gpu: str
    gpus: int
    gpus_per_node: int | None = None
    inter_node: str = ""
    allreduce_gb_s: float | None = None
    """Bus bandwidth of an all-reduce of 256 MiB over all nodes, as the job itself measured it
    (nccl-tests' convention: 2 S (n - 1) / n over the time). [1e9 bytes/s]"""
    allgather_gb_s: float | None = None
    """The same of an all-gather: S (n - 1) / n over the time. [1e9 bytes/s]"""
    node_allreduce_gb_s: float | None = None
    """The same of an all-reduce inside one node. [1e9 bytes/s]"""
    precision: str = ""
    tp: int | None
    pp: int | None
    vpp: int | None = None
    cp: int | None = None
    ep: int | None = None
    dp: int | None = None
    zero: int | None = None
    shard: int | None = None
    """GPUs that ZeRO shards over, where they are fewer than those of the gradients."""
    sp: int | None = None
    recompute: str = ""
    micro_batch: int | None = None
    global_batch: int | None
    iter_s: float | None = None
    """Measured step. [s]"""
    tokens_s_gpu: float | None = None
    tflops_gpu: float | None = None
    """Achieved rate by `flops_convention`. [1e12 FLOP/s]"""
    mfu: float | None = None
    """Fraction of peak by `flops_convention`. [1]"""
    mem_gb: float | None = None
    """Measured memory, in the source's own unit: see `notes`."""
    oom: int | None = None
    """1: it ran out of memory."""
    flops_convention: str = ""
    flag: int | None = None
    """1: inconsistent in its own source, and left out of the scores."""
    notes: str = ""

    @property
    def said(self) -> str:
        """Everything that the source says in words, in lower case."""
        return f"{self.framework} | {self.notes}".lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The usable rows of a file, and why the others are not."""

    rows: tuple[Run, ...]
    rejected: tuple[tuple[str, str], ...] = ()
    """Reason, and where and what exactly, of each row that cannot be read."""

    @property
    def suites(self) -> tuple[str, ...]:
        """The names of the suites, sorted."""
        return tuple(sorted({run.suite for run in self.rows}))

    @property
    def skipped(self) -> Mapping[str, int]:
        """Rows that cannot be read, by reason."""
        return Counter(reason for reason, _ in self.rejected)

    def of_suite(self, suite: str) -> "Runs":
        """Return the rows of one suite."""
        if suite not in self.suites:
            raise unknown("suite", suite, self.suites)
        return Runs(rows=tuple(run for run in self.rows if run.suite == suite))


COLUMNS: Final = {f.name: f for f in fields(Run)}
TEXTS: Final = {name for name, f in COLUMNS.items() if f.type is str}
WHOLE: Final = {name for name, f in COLUMNS.items() if "int" in str(f.type)}
NEEDED: Final = ("id", "suite", "year", "framework", "layers", "hidden", "heads", "gpus")
"""Columns without which a row says nothing."""
REQUIRED: Final = (*NEEDED, "seq", "gpu", "tp", "pp", "global_batch")
"""Columns that a file must have; in a row, those not in `NEEDED` may be empty."""
MEASURED: Final = ("iter_s", "tokens_s_gpu", "tflops_gpu", "mfu", "mem_gb", "oom")
SWITCHES: Final = ("gated_mlp", "sp", "oom", "flag")


def published_runs() -> Runs:
    """Return the runs that ship with plan3d."""
    return read_runs(PUBLISHED)


def elsewhere_runs() -> Runs:
    """Return the runs of other sources, which ship beside them and which nothing was fitted to."""
    return read_runs(ELSEWHERE)


def read_runs(path: str | Path) -> Runs:
    """Read a runs file: CSV with a header, one row per measured layout.

    Rows that cannot be read are left out and listed in `Runs.rejected`.

    Raises
    ------
    InputError
        If there is no such file, it is not a CSV text, a required column is missing, it is cut
        off, or it has no usable row.
    """
    table = _table(Path(path))
    header = [name.strip() for name in table[0]]
    _check_header(path, header)
    if len(table) > 1 and len(table[-1]) < len(header):
        raise InputError(
            f"{path}: cut off: the last row has {len(table[-1])} of {len(header)} fields"
        )
    rows: list[Run] = []
    rejected: list[tuple[str, str]] = []
    seen: set[str] = set()
    for number, cells in enumerate(table[1:], start=2):
        try:
            run = _run(header, cells, seen)
        except InputError as error:
            rejected.append((f"unreadable: {error.args[0]}", f"row {number}: {error.args[1]}"))
            continue
        seen.add(run.id)
        rows.append(run)
    if not rows:
        why = "".join(f"\n  - {where}" for _, where in rejected[:NAMED])
        why += f"\n  - and {len(rejected) - NAMED} more" if len(rejected) > NAMED else ""
        raise InputError(f"{path}: no usable run in {len(table) - 1} rows{why}")
    return Runs(rows=tuple(rows), rejected=tuple(rejected))


def _table(path: Path) -> list[list[str]]:
    """Return the cells of a CSV file, blank lines left out."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES // 10**6} MB: not a runs file")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot read it: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file (UTF-8 CSV is wanted)") from None
    except ValueError:
        raise InputError(f"{str(path)!r}: not a file name") from None
    if "\0" in text:
        raise InputError(f"{path}: not a text file (UTF-8 CSV is wanted)")
    try:
        table = [row for row in csv.reader(text.splitlines(keepends=True), strict=True) if row]
    except csv.Error as error:
        raise InputError(f"{path}: not a whole CSV file: {error}") from None
    if not table:
        raise InputError(f"{path}: the file is empty")
    return table


def _check_header(path: str | Path, header: Sequence[str]) -> None:
    """Refuse a header that lacks a column, or seems to have misspelt one."""
    if missing := [name for name in REQUIRED if name not in header]:
        raise InputError(f"{path}: missing columns: {', '.join(missing)}")
    if not any(name in header for name in MEASURED):
        raise InputError(f"{path}: nothing measured: none of the columns {', '.join(MEASURED)}")
    if twice := [name for name, n in Counter(header).items() if n > 1]:
        raise InputError(f"{path}: columns given twice: {', '.join(twice)}")
    absent = [name for name in COLUMNS if name not in header]
    for name in set(header) - set(COLUMNS):
        if near := get_close_matches(name, absent, n=1, cutoff=0.8):
            raise InputError(f"{path}: no column {name[:80]!r}; did you mean {near[0]}?")


def _run(header: Sequence[str], cells: Sequence[str], seen: Iterable[str]) -> Run:
    """Return one row, or raise an InputError of two texts: the reason, and the particulars."""
    if len(cells) != len(header):
        raise InputError("wrong number of fields", f"{len(cells)} fields, not {len(header)}")
    given = {k: v.strip() for k, v in zip(header, cells, strict=True) if k in COLUMNS}
    if given["id"] in seen:
        raise InputError("duplicate id", f"id {given['id'][:80]!r} is already taken")
    values: dict[str, str | float | None] = {}
    for name, text in given.items():
        if not text and name in NEEDED:
            raise InputError(f"no {name}", f"column {name} is empty")
        values[name] = text if name in TEXTS else _number(name, text)
    return Run(**values)  # type: ignore[arg-type]


def _number(name: str, text: str) -> float | None:
    """Return a number of a column, or None where the source gives none."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    low, high = 0.0, LARGEST
    if name in SWITCHES or name == "mfu":
        high = 1.0
    elif name == "zero":
        high = 3.0
    elif name in WHOLE:
        low, high = 1.0, 1e9
    whole = name in WHOLE
    # An MFU printed as 0 % is one below the digits shown; nothing else measured is ever 0.
    positive = value > 0 or whole or name == "mfu"
    if not (low <= value <= high and positive and (not whole or value == int(value))):
        kind = "a whole number" if whole else "a number"
        least = f"from {low:g}" if whole or name == "mfu" else "above 0, up"
        raise InputError(
            f"impossible value in {name}",
            f"column {name} is {text[:40]!r}, but must be {kind} {least} to {high:g}",
        )
    return int(value) if whole else value
