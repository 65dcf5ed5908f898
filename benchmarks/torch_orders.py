"""Write down the order of operations of the schedules that PyTorch ships.

Run as ``python benchmarks/torch_orders.py tests/simulator/torch_orders.json`` where torch can be
imported. It constructs ``torch.distributed.pipelining.schedules`` over stages without a model; the
two schedules of one stage a rank, whose order is in their loop, run with stages that take notes.

An operation is written as torch does: stage, kind, micro-batch. Kinds are F forward, B backward,
I backward for the input, W backward for the weights; ``&`` joins two that overlap.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.distributed.pipelining import schedules

Case = tuple[str, int, int, int]
"""Name, ranks, chunks, micro-batches."""

SINGLE = {"gpipe": schedules.ScheduleGPipe, "one_f_one_b": schedules.Schedule1F1B}
SEVERAL = {
    "interleaved": schedules.ScheduleInterleaved1F1B,
    "looped_bfs": schedules.ScheduleLoopedBFS,
    "zb_h1": schedules.ScheduleInterleavedZeroBubble,
    "zb_v": schedules.ScheduleZBVZeroBubble,
    "dualpipe_v": schedules.ScheduleDualPipeV,
}
KINDS = "FIWB"


class Stage(schedules._PipelineStageBase):
    """A stage without a model, which notes what it is told to run."""

    def __init__(self, index: int, ranks: int, stages: int) -> None:
        self.stage_index, self.group_rank = index, index % ranks
        self.group_size, self.num_stages = ranks, stages
        self.has_backward, self.group, self.submod = True, None, None
        self.device = torch.device("cpu")
        self.notes: list[str] = []

    def forward_one_chunk(self, chunk: int, *_: object, **__: object) -> None:
        """Note a forward pass."""
        self.notes.append(f"{self.stage_index}F{chunk}")

    def backward_one_chunk(self, chunk: int, **_: object) -> None:
        """Note a backward pass."""
        self.notes.append(f"{self.stage_index}B{chunk}")

    def __getattribute__(self, name: str) -> Any:
        nothing = name.endswith("_ops") or name.startswith(("release_", "perform_", "scale_"))
        return (lambda *_, **__: []) if nothing else super().__getattribute__(name)


Stage.__abstractmethods__ = frozenset()


def played(kind: type, ranks: int, micro_batches: int) -> list[str]:
    """Run a schedule of one stage a rank, and return what each rank ran."""
    notes = []
    for rank in range(ranks):
        stage = Stage(rank, ranks, ranks)
        schedule = kind(stage, micro_batches)
        for name in ("_initialize_stage", "_maybe_compute_loss", "_maybe_get_loss"):
            setattr(schedule, name, lambda *_: None)
        schedule._step_microbatches([()] * micro_batches, [{}] * micro_batches)
        notes.append(" ".join(stage.notes))
    return notes


def written(action: Any) -> str:
    """Write an action of torch."""
    if action.sub_actions:
        return "&".join(map(written, action.sub_actions))
    return f"{action.stage_index}{action.computation_type.value}{action.microbatch_index}"


def planned(kind: type, ranks: int, chunks: int, micro_batches: int) -> list[str]:
    """Return the order that a schedule of several stages a rank computes."""
    stages = [Stage(chunk * ranks, ranks, ranks * chunks) for chunk in range(chunks)]
    order = kind(stages, micro_batches).pipeline_order
    compute = [
        [a for a in order[r] if a and (a.sub_actions or a.computation_type.value in KINDS)]
        for r in range(ranks)
    ]
    return [" ".join(map(written, actions)) for actions in compute]


def grid() -> Iterator[Case]:
    """Cases that torch accepts, or refuses with a ValueError."""
    for p in (1, 2, 3, 4, 6, 8):
        for m in (1, p - 1, p, p + 1, 2 * p, 2 * p + 3, 3 * p + 1):
            yield from ((name, p, 1, m) for name in SINGLE if m > 0)
        for m in (p, 2 * p - 1, 2 * p, 2 * p + 1, 3 * p + 1):
            yield from ((name, p, 2, m) for name in ("zb_v", "dualpipe_v"))
    for p in (1, 2, 3, 4, 6):
        for v in (1, 2, 3):
            for m in sorted({1, p, p + 2, 2 * p, 2 * p + 2, 3 * p}):
                names = ("interleaved", "looped_bfs", "zb_h1")
                yield from ((name, p, v, m) for name in names)


def orders() -> dict[str, list[str]]:
    """Return the order per rank of every case, by "name ranks chunks micro-batches"."""
    found = {}
    for name, p, v, m in dict.fromkeys(grid()):
        key = f"{name} {p} {v} {m}"
        try:
            found[key] = (
                played(SINGLE[name], p, m) if name in SINGLE else planned(SEVERAL[name], p, v, m)
            )
        except ValueError:
            continue
    return found


if __name__ == "__main__":
    reference = {"torch": torch.__version__.split("+")[0], "orders": orders()}
    Path(sys.argv[1]).write_text(json.dumps(reference, indent=0) + "\n", encoding="utf-8")
    print(f"{len(reference['orders'])} cases of torch {torch.__version__}")
