"""Schedules played out: rule by rule, many at once, bad costs, speed."""

import time
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan3d.simulator.errors import InputError
from plan3d.simulator.events import StageCosts, play, play_network
from plan3d.simulator.schedules.network import Network
from plan3d.simulator.schedules.program import LETTERS, Program
from plan3d.simulator.schedules.table import BUILDERS, build
from plan3d.simulator.timeline import Timeline

CHUNKS = {"interleaved": 3, "looped_bfs": 2, "zb_h1": 2, "zb_v": 2, "dualpipe_v": 2}
quick = settings(max_examples=40, deadline=None)


def drawn(program: Program, seed: int) -> StageCosts:
    random = np.random.default_rng(seed)
    depth = program.depth
    return StageCosts(
        forward_s=random.uniform(1, 2, depth), backward_input_s=random.uniform(1, 2, depth),
        backward_weight_s=random.uniform(0, 2, depth), transfer_s=random.uniform(0, 1, depth - 1),
        activations=random.uniform(1, 2, depth), weight_share=0.5, overlapped=0.75,
    )  # fmt: skip


def lasts(program: Program, costs: StageCosts, i: int) -> float:
    """Time of one operation, not overlapped, from the meaning of its letter."""
    s = program.stage[i] % program.depth
    letter = LETTERS[program.kind[i]]
    f, x, w = (np.asarray(c)[s] for c in (
        costs.forward_s, costs.backward_input_s, costs.backward_weight_s))  # fmt: skip
    return float({"F": f, "I": x, "W": w, "B": x + w}[letter])


def check(program: Program, costs: StageCosts, line: Timeline) -> None:
    """Every operation starts as soon as its rank is free and its input is there, no earlier."""
    where = {}
    for i, (s, k) in enumerate(zip(program.stage, program.micro_batch, strict=True)):
        letter = LETTERS[program.kind[i]]
        where["B" if letter == "I" else letter, s, k] = i
    depth = program.depth

    def arrives(i: int) -> float:
        s, k = program.stage[i], program.micro_batch[i]
        letter, step = LETTERS[program.kind[i]], s % depth
        if letter == "W":
            return float(line.end_s[where["B", s, k]])
        if letter == "F":
            source = ("F", s - 1, k) if step else None
        else:
            source = ("B", s + 1, k) if step < depth - 1 else ("F", s, k)
        if source is None:
            return 0.0
        from_, to = program.holder[source[1]], program.holder[s]
        edge = min(s, source[1]) % depth
        lag = 0.0 if from_ == to else np.asarray(costs.transfer_s)[edge]
        return float(line.end_s[where[source]] + lag)

    for r in range(program.ranks):
        free, i = 0.0, int(program.first[r])
        while i < program.first[r + 1]:
            both = bool(program.overlaps[i])
            members = range(i, i + 1 + both)
            begin = max(free, *map(arrives, members))
            work = sum(lasts(program, costs, j) for j in members) * (0.75 if both else 1.0)
            for j in members:
                assert line.start_s[j] == pytest.approx(begin), program.name(j)
                assert line.end_s[j] == pytest.approx(begin + work), program.name(j)
            free, i = float(line.end_s[i]), i + len(members)


@given(name=st.sampled_from(sorted(BUILDERS)), half=st.integers(1, 3), more=st.integers(0, 4),
       seed=st.integers(0, 99))  # fmt: skip
@quick
def test_the_rules_of_the_game(name: str, half: int, more: int, seed: int) -> None:
    p, m = 2 * half, 4 * half + 2 * more
    program = build(name, p, m, CHUNKS.get(name, 1))
    costs = drawn(program, seed)
    line = play(program, costs)
    check(program, costs, line)
    work = np.array([line.end_s - line.start_s]).ravel()
    work[1:][program.overlaps[:-1]] = 0.0  # two that overlap count once
    busy = np.add.reduceat(work, program.first[:-1])
    assert line.idle_s == pytest.approx(line.makespan_s - busy)
    for cause in (line.warm_up_s, line.cool_down_s, line.imbalance_s, line.transfer_s):
        assert (cause > -1e-9).all()


@given(name=st.sampled_from(sorted(BUILDERS)), seed=st.integers(0, 99))
@quick
def test_many_cases_at_once_are_the_cases_one_by_one(name: str, seed: int) -> None:
    program = build(name, 4, 8, CHUNKS.get(name, 1))
    network = Network.of(program)
    cases = [drawn(program, seed + i) for i in range(3)]
    names = [f.name for f in fields(StageCosts) if f.name not in ("weight_share", "overlapped")]
    columns = {k: np.stack([getattr(c, k) for c in cases], axis=1) for k in names}
    together = play_network(network, replace(cases[0], **columns))
    for i, costs in enumerate(cases):
        alone = play(program, costs)
        for f in fields(Timeline):
            if f.name != "program":
                found = getattr(together, f.name)[..., i]
                assert found.tolist() == getattr(alone, f.name).tolist(), f.name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forward_s": np.ones(3)}, "forward_s has 3 rows, but 2 virtual stages need 2"),
        ({"transfer_s": np.ones(2)}, "transfer_s has 2 rows, but 2 virtual stages need 1"),
        ({"backward_input_s": -1.0}, "backward_input_s has -1.0, not a number from 0"),
        ({"forward_s": np.array([1.0, np.nan])}, "forward_s has nan"),
    ],
)
def test_costs_that_cannot_be(change: dict[str, np.ndarray | float], message: str) -> None:
    costs = StageCosts(forward_s=1.0, backward_input_s=1.0, backward_weight_s=1.0)
    with pytest.raises(InputError, match=message):
        play(build("gpipe", 2, 2), replace(costs, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "p", "m", "v"), [
    ("one_f_one_b", 64, 512, 1), ("interleaved", 35, 280, 3)])  # fmt: skip
def test_200_000_operations_per_second(name: str, p: int, m: int, v: int) -> None:
    costs = StageCosts(forward_s=1.0, backward_input_s=1.0, backward_weight_s=1.0, transfer_s=0.1)
    best = np.inf
    for _ in range(3):
        begin = time.process_time()
        line = play(build(name, p, m, v), costs)
        best = min(best, time.process_time() - begin)
    assert len(line.start_s) / best > 200_000


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_nothing_stalls(name: str) -> None:
    """Whatever the numbers of ranks and micro-batches, also fewer of these than ranks."""
    costs = StageCosts(forward_s=1.0, backward_input_s=1.0, backward_weight_s=1.0)
    played = 0
    for p in range(1, 7):
        for m in range(1, 14):
            if (name != "dualpipe" or (p % 2 == m % 2 == 0)) and ("dual" not in name or m >= 2 * p):
                line = play(build(name, p, m, CHUNKS.get(name, 1)), costs)
                assert line.makespan_s >= 3 * m
                played += 1
    assert played >= 9
