"""The trace: what viewers of the Trace Event Format ask for, and times by hand."""

import json
from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from plan3d.cli.trace import as_text, trace
from plan3d.cli.words import GIB
from plan3d.simulator.events import StageCosts, play_network
from plan3d.simulator.schedules.network import Network
from plan3d.simulator.schedules.table import BUILDERS, build
from plan3d.simulator.timeline import Timeline

Event = dict[str, Any]

KEYS: dict[str, dict[str, type]] = {
    "M": {"name": str, "args": dict},
    "X": {"name": str, "cat": str, "ts": float, "dur": float},
    "C": {"name": str, "ts": float, "args": dict},
    "s": {"name": str, "cat": str, "id": int, "ts": float},
    "f": {"name": str, "cat": str, "id": int, "ts": float, "bp": str},
}
"""Keys beside pid and tid and their types, by phase (Trace Event Format, sections 2 to 4)."""


def played(name: str, p: int, m: int, v: int, costs: StageCosts) -> tuple[Timeline, list[Event]]:
    network = Network.of(build(name, p, m, v))
    line = play_network(network, costs)
    text = as_text(trace(network, line, costs))
    found = json.loads(text)
    assert found["displayTimeUnit"] == "ms"
    events: list[Event] = found["traceEvents"]
    return line, events


def only(events: list[Event], phase: str, **given: object) -> list[Event]:
    found = [e for e in events if e["ph"] == phase]
    return [e for e in found if all(e[key] == value for key, value in given.items())]


def by_hand(transfer_s: float) -> list[Event]:
    """Two ranks, two micro-batches of 1F1B; F = 1, B = 2."""
    costs = StageCosts(
        forward_s=1.0, backward_input_s=1.5, backward_weight_s=0.5, transfer_s=transfer_s,
        activations=2 * GIB,
    )  # fmt: skip
    return played("one_f_one_b", 2, 2, 1, costs)[1]


def test_computations_by_hand() -> None:
    """Rank 1 gets F0 at 1.5 and B0 follows; rank 0 waits for B0 until 5 (see test_timeline)."""
    found = {
        rank: [(e["name"], e["ts"] / 1e6, e["dur"] / 1e6) for e in only(slices, "X", tid=0)]
        for rank in (0, 1)
        if (slices := only(by_hand(0.5), "X", pid=rank))
    }
    assert found[0] == [("F0", 0, 1), ("F1", 1, 1), ("B0", 5, 2), ("B1", 8, 2)]
    assert found[1] == [("F0", 1.5, 1), ("B0", 2.5, 2), ("F1", 4.5, 1), ("B1", 5.5, 2)]


def test_transfers_by_hand() -> None:
    sends = [e for e in only(by_hand(0.5), "X") if e["tid"] > 0]
    assert [(e["pid"], e["name"], e["ts"] / 1e6, e["dur"] / 1e6) for e in sends] == [
        (0, "F0 to rank 1", 1, 0.5),
        (0, "F1 to rank 1", 2, 0.5),
        (1, "B0 to rank 0", 4.5, 0.5),
        (1, "B1 to rank 0", 7.5, 0.5),
    ]


def test_sends_that_overlap_have_threads_of_their_own() -> None:
    """Sends of 1.5 start every second: the second goes beside the first."""
    sends = [e for e in only(by_hand(1.5), "X", pid=0) if e["tid"] > 0]
    assert [(e["name"], e["tid"]) for e in sends] == [("F0 to rank 1", 1), ("F1 to rank 1", 2)]
    names = [e["args"]["name"] for e in only(by_hand(1.5), "M", pid=0, name="thread_name")]
    assert names == ["compute", "p2p", "p2p 2"]


def test_arrows_by_hand() -> None:
    """From the middle of the computation to the start of the one that needs it."""
    events = by_hand(0.5)
    found = {e["id"]: (e["pid"], e["ts"] / 1e6) for e in only(events, "s")}
    ends = {e["id"]: (e["pid"], e["ts"] / 1e6) for e in only(events, "f")}
    arrows = sorted((start, ends[number]) for number, start in found.items())
    assert arrows == [
        ((0, 0.5), (1, 1.5)),
        ((0, 1.5), (1, 4.5)),
        ((1, 3.5), (0, 5)),
        ((1, 6.5), (0, 8)),
    ]


def test_activations_by_hand() -> None:
    """Each keeps 2 GiB from the start of its forward pass to the end of its backward pass."""
    kept = [(e["ts"] / 1e6, e["args"]["GiB"]) for e in only(by_hand(0.5), "C", pid=0)]
    assert kept == [(0, 2), (1, 4), (7, 2), (10, 0)]


@pytest.mark.parametrize("name", BUILDERS)
def test_any_schedule_is_a_valid_trace(name: str) -> None:
    p, m, v = 4, 8, 2 if name in ("interleaved", "looped_bfs", "zb_v", "dualpipe_v") else 1
    stage = np.arange(p * v)
    costs = StageCosts(
        forward_s=1e-3 + 1e-4 * stage / 3, backward_input_s=1.1e-3, backward_weight_s=0.7e-3,
        transfer_s=2.3e-3, activations=np.float64(1e9) + stage, weight_share=0.4, overlapped=0.8,
    )  # fmt: skip
    line, events = played(name, p, m, v, costs)
    for event in events:
        for key, kind in {"pid": int, "tid": int, **KEYS[event["ph"]]}.items():
            assert isinstance(event[key], kind), event
    timed = [e for e in events if e["ph"] != "M"]
    assert all(a["ts"] <= b["ts"] for a, b in pairwise(timed))
    assert events.index(timed[0]) == len(only(events, "M"))
    threads: dict[tuple[int, int], list[Event]] = defaultdict(list)
    for event in only(events, "X"):
        assert event["dur"] >= 0
        threads[event["pid"], event["tid"]].append(event)
    for thread in threads.values():
        for a, b in pairwise(thread):
            assert round(1000 * (a["ts"] + a["dur"])) <= round(1000 * b["ts"])
    named = {(e["pid"], e["tid"]) for e in only(events, "M", name="thread_name")}
    assert named == set(threads)
    assert len(only(events, "X", tid=0)) == len(line.program) - line.program.overlaps.sum()
    begins, ends = ({e["id"]: e["ts"] for e in only(events, phase)} for phase in "sf")
    assert begins.keys() == ends.keys()
    assert all(begins[number] < ends[number] for number in begins)
    most = [max(e["args"]["GiB"] for e in only(events, "C", pid=r)) for r in range(p)]
    assert most == pytest.approx(line.peak_activations / GIB)
