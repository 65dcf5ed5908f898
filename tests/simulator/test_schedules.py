"""The order of operations: against PyTorch's own, the authors' programs, and by hand."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Schedule
from plan3d.simulator.schedules.looped import group_size, interleaved
from plan3d.simulator.schedules.program import Kind, Program
from plan3d.simulator.schedules.table import BUILDERS, build
from tests.simulator.schedules import order

TORCH = json.loads(Path(__file__).with_name("torch_orders.json").read_text(encoding="utf-8"))
SHIPPED = ("gpipe", "one_f_one_b", "interleaved", "looped_bfs", "zb_h1", "zb_v", "dualpipe_v")
CHUNKS = {"interleaved": 3, "looped_bfs": 3, "zb_h1": 2, "zb_v": 2, "dualpipe_v": 2}


def ours(case: str) -> list[str]:
    name, *numbers = case.split()
    ranks, chunks, micro_batches = map(int, numbers)
    program = build(name, ranks, micro_batches, chunks)
    return [program.text(r) for r in range(ranks)]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_order_is_that_of_torch(name: str) -> None:
    cases = {case: ranks for case, ranks in TORCH["orders"].items() if case.startswith(f"{name} ")}
    assert len(cases) >= 15
    for case, ranks in cases.items():
        assert ours(case) == ranks, case


def test_the_order_is_that_of_the_torch_that_is_here() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("torch.distributed.pipelining", exc_type=ImportError)
        from benchmarks.torch_orders import orders  # noqa: PLC0415
    for case, ranks in orders().items():
        assert ours(case) == ranks, case


def test_dualpipe_by_hand() -> None:
    """Two ranks, four micro-batches, by the steps of the authors' ``dualpipe.py``."""
    program = build("dualpipe", 2, 4)
    assert program.text(0) == "0F0 3F2 0F1 3B2 3F3&0B0 3B3 0I1 0W1"
    assert program.text(1) == "2F2 1F0 2F3 1B0 1F1&2B2 1B1 2I3 2W3"
    assert program.holder.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("half", [1, 2, 3, 4])
def test_dualpipe_is_dualpipe_v_there_and_back(half: int) -> None:
    """Its first half of the ranks runs what DualPipeV runs on so many."""
    both, cut = build("dualpipe", 2 * half, 6 * half), build("dualpipe_v", half, 3 * half, 2)
    for rank in range(half):
        here = slice(both.first[rank], both.first[rank + 1])
        there = slice(cut.first[rank], cut.first[rank + 1])
        assert both.kind[here].tolist() == cut.kind[there].tolist()
        assert (both.micro_batch[here] % (3 * half)).tolist() == cut.micro_batch[there].tolist()


def test_zb_h2_by_hand() -> None:
    """Twice the distance of ZB-H1: rank r is 2 (p - 1 - r) forward passes ahead."""
    program = build("zb_h2", 2, 3)
    assert program.text(0) == "0F0 0F1 0F2 0I0 0W0 0I1 0W1 0I2 0W2"
    assert program.text(1) == "1F0 1I0 1F1 1I1 1F2 1I2 1W0 1W1 1W2"


def test_groups_of_micro_batches_are_those_of_megatron() -> None:
    """The example of ``convert_schedule_table_to_order``: two ranks, groups of 3 of 5, 2 chunks.

    Rank 0 is 2 + 3 passes ahead; chunks count from 1, backward passes are negative.
    """
    program = interleaved(2, 5, 2, group=3)
    here = slice(0, program.first[1])
    chunk = program.stage[here] // 2 + 1
    order = np.where(program.kind[here] == Kind.FORWARD, chunk, -chunk)
    written = "1 1 1 2 2 2 -2 1 -2 1 -2 2 -1 2 -1 -1 -2 -2 -1 -1"
    assert order.tolist() == [int(each) for each in written.split()]
    forward = program.micro_batch[here][program.kind[here] == Kind.FORWARD]
    assert forward.tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 3, 4]


@given(p=st.integers(1, 9), m=st.integers(1, 40))
def test_the_smallest_group_is_what_torch_takes(p: int, m: int) -> None:
    """It makes max(1, m // p) rounds of equal groups, and refuses if m does not divide."""
    rounds = max(1, m // p)
    if m % rounds == 0:
        assert group_size(p, m) == m // rounds
    rest = m % group_size(p, m)
    assert rest == 0 or rest >= p


@given(p=st.integers(1, 6), rounds=st.integers(1, 4), v=st.integers(2, 4))
def test_interleaving_as_another_program_writes_it(p: int, rounds: int, v: int) -> None:
    program = build("interleaved", p, rounds * p, v)
    for r in range(p):
        other = order(r, p, v, rounds * p)
        assert program.text(r) == " ".join(f"{c * p + r}{kind}{k}" for kind, c, k in other)


def programs() -> Iterator[Program]:
    for name in BUILDERS:
        for p, m in ((1, 2), (2, 4), (3, 7), (4, 8), (4, 11), (6, 12)):
            if name != "dualpipe" or (p % 2 == 0 and m % 2 == 0):
                yield build(name, p, m, CHUNKS.get(name, 1))


@pytest.mark.parametrize("program", list(programs()))
def test_every_rank_does_its_work_once(program: Program) -> None:
    """Forward, and backward whole or in two parts, for each stage and micro-batch."""
    done = list(zip(program.stage, program.micro_batch, program.kind, strict=True))
    assert len(set(done)) == len(done)
    ways = len(program.holder) // program.depth
    per_stage = program.micro_batches // ways
    stages = range(len(program.holder))
    for kinds in ((Kind.FORWARD,), (Kind.BACKWARD, Kind.BACKWARD_INPUT),
                  (Kind.BACKWARD, Kind.BACKWARD_WEIGHT)):  # fmt: skip
        found = sorted((s, k) for s, k, kind in done if kind in kinds)
        first = {s: per_stage * (s // program.depth) for s in stages}
        assert found == [(s, first[s] + k) for s in stages for k in range(per_stage)]
    for r in range(program.ranks):
        here = slice(program.first[r], program.first[r + 1])
        assert (program.holder[program.stage[here]] == r).all()


def test_the_schedules_of_layouts_have_a_builder() -> None:
    assert {schedule.name.lower() for schedule in Schedule} <= set(BUILDERS)


@pytest.mark.parametrize(
    ("name", "p", "m", "v", "message"),
    [
        ("gpip", 2, 2, 1, "did you mean gpipe"),
        ("gpipe", 0, 2, 1, "ranks is 0, but must be at least 1"),
        ("gpipe", 2, 0, 1, "micro-batches is 0"),
        ("interleaved", 2, 2, 0, "chunks per rank is 0"),
        ("gpipe", 2, 2, 2, "1 chunk per rank, not 2; schedules for other numbers: interleaved"),
        ("one_f_one_b", 2, 2, 3, "1 chunk per rank, not 3"),
        ("zb_h2", 2, 2, 2, "1 chunk per rank"),
        ("zb_v", 2, 4, 1, "2 chunks per rank, not 1"),
        ("dualpipe_v", 2, 4, 3, "2 chunks per rank, not 3"),
        ("dualpipe_v", 4, 7, 2, "needs at least two per rank: 8"),
        ("dualpipe", 3, 8, 1, "8 on 4 would do"),
        ("dualpipe", 4, 9, 1, "both must be even"),
        ("dualpipe", 4, 6, 1, "at least twice the ranks: 8 on 4 would do"),
    ],
)
def test_what_a_schedule_cannot_do(name: str, p: int, m: int, v: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(name, p, m, v)


@pytest.mark.parametrize("group", [3, 5, 9, -1])
def test_groups_that_stall(group: int) -> None:
    with pytest.raises(InputError, match="4 would do"):
        interleaved(4, 8, 2, group=group)
