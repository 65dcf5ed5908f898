"""A pipeline as a trace: the JSON that ui.perfetto.dev and chrome://tracing open.

The format is the Trace Event Format of Chromium: a process is a rank, with a thread for what it
computes and others for what it sends; an arrow leads from a computation to the one that waited for
it; a counter says what the rank keeps.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from plan3d.cli.words import GIB
from plan3d.simulator.events import StageCosts
from plan3d.simulator.numeric import Floats, Ints
from plan3d.simulator.schedules.network import Network
from plan3d.simulator.schedules.program import LETTERS, Kind, Program
from plan3d.simulator.timeline import Timeline

COMPUTE, SEND = 0, 1
"""Threads; sends that overlap have further ones."""

CATEGORIES = ("forward", "backward", "backward for the input", "backward for the weights")
"""By `Kind`."""

ORDER = "MXCsf"
"""Of events at one time: a slice is there before the ends of its arrows."""

Event = dict[str, Any]


def trace(network: Network, line: Timeline, costs: StageCosts) -> dict[str, Any]:
    """Return a trace of a pipeline that was played, one case."""
    sends = [*_sends(network, line, costs)]
    events = [*_computations(line), *_counters(line, costs), *sends]
    events.sort(key=lambda event: (event["ts"], ORDER.index(event["ph"])))
    threads = {(e["pid"], e["tid"]) for e in events if e["ph"] == "X"}
    return {"traceEvents": [*_names(sorted(threads)), *events], "displayTimeUnit": "ms"}


def as_text(found: dict[str, Any]) -> str:
    """Return a trace as JSON, an event per line."""
    events = ",\n".join(json.dumps(event, allow_nan=False) for event in found["traceEvents"])
    rest = {name: value for name, value in found.items() if name != "traceEvents"}
    return f'{{"traceEvents": [\n{events}\n],\n{json.dumps(rest)[1:]}\n'


def _names(threads: list[tuple[int, int]]) -> Iterator[Event]:
    for rank in sorted({rank for rank, _ in threads}):
        yield _name("process_name", rank, COMPUTE, name=f"rank {rank}")
        yield _name("process_sort_index", rank, COMPUTE, sort_index=rank)
    for rank, thread in threads:
        text = "compute" if thread == COMPUTE else "p2p" + f" {thread}" * (thread > SEND)
        yield _name("thread_name", rank, thread, name=text)
        yield _name("thread_sort_index", rank, thread, sort_index=thread)


def _name(what: str, rank: int, thread: int, **args: object) -> Event:
    return {"name": what, "ph": "M", "pid": rank, "tid": thread, "args": args}


def _slice(name: str, category: str, rank: int, thread: int, start: int, until: int) -> Event:
    """Return something that takes time; times are in nanoseconds, those of events in micro-."""
    return {
        "name": name, "cat": category, "ph": "X", "pid": rank, "tid": thread,
        "ts": start / 1000, "dur": (until - start) / 1000,
    }  # fmt: skip


def _computations(line: Timeline) -> Iterator[Event]:
    """Yield what the ranks compute; two that overlap are one."""
    program, ranks = line.program, _ranks(line.program)
    start, end = _ns(line.start_s), _ns(line.end_s)
    for i in range(len(program)):
        if i and program.overlaps[i - 1]:
            continue
        both = range(i, i + 1 + int(program.overlaps[i]))
        name = " & ".join(f"{LETTERS[program.kind[j]]}{program.micro_batch[j]}" for j in both)
        category = " & ".join(CATEGORIES[program.kind[j]] for j in both)
        event = _slice(name, category, int(ranks[i]), COMPUTE, start[i], end[i])
        stages = " & ".join(str(program.stage[j] % program.depth) for j in both)
        batches = " & ".join(str(program.micro_batch[j]) for j in both)
        yield event | {"args": {"virtual stage": stages, "micro-batch": batches}}


def _sends(network: Network, line: Timeline, costs: StageCosts) -> Iterator[Event]:
    """Yield the transfers that take time, and an arrow for each transfer."""
    program, ranks = line.program, _ranks(line.program)
    source, target, boundary = _transfers(network)
    lasts = np.broadcast_to(np.asarray(costs.transfer_s), max(program.depth - 1, 1))[boundary]
    left, arrived = _ns(line.end_s[source]), _ns(line.end_s[source] + lasts)
    middle, start = _ns((line.start_s + line.end_s) / 2), _ns(line.start_s)
    free: dict[int, list[int]] = {}
    for number in np.argsort(line.end_s[source], kind="stable").tolist():
        i, j = int(source[number]), int(target[number])
        rank, other = int(ranks[i]), int(ranks[j])
        if arrived[number] > left[number]:
            thread = SEND + _lane(free.setdefault(rank, []), left[number], arrived[number])
            name = f"{LETTERS[program.kind[i]]}{program.micro_batch[i]} to rank {other}"
            yield _slice(name, "transfer", rank, thread, left[number], arrived[number])
        arrow = {"name": "transfer", "cat": "transfer", "id": number, "tid": COMPUTE}
        yield arrow | {"ph": "s", "pid": rank, "ts": middle[i] / 1000}
        yield arrow | {"ph": "f", "bp": "e", "pid": other, "ts": start[j] / 1000}


def _transfers(network: Network) -> tuple[Ints, Ints, Ints]:
    """Return from and to which operation each transfer leads, and the boundary it crosses."""
    which, place = np.nonzero(network.crosses)
    source = network.order[network.awaited[which + 1, place] - 1]
    return source, network.order[place], network.boundary[which, place]


def _lane(free: list[int], start: int, until: int) -> int:
    """Return the first of the lanes that is free, and take it until then."""
    lane = next((lane for lane, since in enumerate(free) if since <= start), len(free))
    free[lane : lane + 1] = [until]
    return lane


def _counters(line: Timeline, costs: StageCosts) -> Iterator[Event]:
    """Yield what each rank keeps: more once a forward pass starts, less after a backward pass."""
    program = line.program
    forward = program.kind == Kind.FORWARD
    times = _ns(np.where(forward, line.start_s, line.end_s))
    ranks = _ranks(program)
    for i, kept in enumerate(_kept(program, costs).tolist()):
        yield {
            "name": "activations", "ph": "C", "pid": int(ranks[i]), "tid": COMPUTE,
            "ts": times[i] / 1000, "args": {"GiB": kept / GIB},
        }  # fmt: skip


def _kept(program: Program, costs: StageCosts) -> Floats:
    """Return what its rank keeps after each operation, as `Timeline.peak_activations` counts."""
    columns = costs.columns(program.depth)
    step = program.stage % program.depth
    share = columns["weight_share"][step]
    adds = np.choose(program.kind, [np.ones_like(share), -np.ones_like(share), share - 1, -share])
    total = np.cumsum(adds * columns["activations"][step])
    before = np.append(0.0, total)[program.first[:-1]]
    kept: Floats = total - np.repeat(before, np.diff(program.first))
    return kept


def _ranks(program: Program) -> Ints:
    return np.repeat(np.arange(program.ranks), np.diff(program.first))


def _ns(times_s: Floats) -> list[int]:
    """Return whole nanoseconds: what touches still touches."""
    whole: list[int] = np.rint(times_s * 1e9).astype(np.int64).tolist()
    return whole
