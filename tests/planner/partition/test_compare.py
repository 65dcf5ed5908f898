"""Simple partitions, what Megatron-LM can express, and how the best compares."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.planner.frameworks import FRAMEWORKS
from plan3d.planner.partition.compare import compare
from plan3d.planner.partition.cost import evaluate
from plan3d.planner.partition.problem import Coupling, Problem
from plan3d.planner.partition.settings import ends_sizes, even_sizes, settings
from plan3d.planner.partition.windows import Setting, chosen, setting_times
from plan3d.simulator.errors import InputError
from tests.planner.partitions import large, problem, splits

MEGATRON = FRAMEWORKS["megatron"]


def test_even_splits() -> None:
    assert even_sizes(8, 4) == (2, 2, 2, 2)
    assert even_sizes(9, 4) == (3, 2, 2, 2)


@pytest.mark.parametrize(("layers", "chunks"), [(7, 1), (7, 2), (7, 3), (9, 4), (12, 4), (6, 6)])
def test_splits_with_other_ends_are_those_whose_inner_stages_are_alike(
    layers: int, chunks: int
) -> None:
    expected = [s for s in splits(layers, chunks) if len(set(s[1:-1])) <= 1]
    assert sorted(ends_sizes(layers, chunks)) == sorted(expected)


def test_settings() -> None:
    found = settings(("none", "selective", "full"), 3)
    assert [chosen(rule, 3) for rule in found] == [
        [0, 0, 0], [1, 1, 1], [2, 2, 2], [2, 0, 0], [2, 2, 0],
    ]  # fmt: skip
    assert len(settings(("keep", "drop"), 3)) == 2


def test_the_table_of_a_setting_is_what_evaluating_says() -> None:
    """All windows of all splits, under each setting; memory, too."""
    asked = problem(11, layers=6, stages=3, kinds=6)
    for rule in (*settings(asked.layers.options, 4), Setting(head=1, count=2, tail=2)):
        table = setting_times(asked, rule, 4)
        for sizes in splits(6, 3):
            starts = np.cumsum(sizes) - sizes
            found = evaluate(asked, sizes, [o for n in sizes for o in chosen(rule, n)])
            times = [table[k, i, n] for k, (i, n) in enumerate(zip(starts, sizes, strict=True))]
            for device in range(3):
                room = asked.devices.capacity_bytes[device]
                fits = found.memory_bytes[device] <= room
                assert times[device] == (found.device_s[device] if fits else np.inf)


def spacious(asked: Problem) -> Problem:
    room = replace(asked.devices, capacity_bytes=np.full(len(asked.devices), 1e6))
    return replace(asked, devices=room)


def test_with_room_for_all_a_heavy_end_takes_fewer_layers() -> None:
    """26 layers of 3 s on 4 stages; the last has 1.5 s more, the first 0.3: by hand.

    7 + 7 + 6 + 6 leaves 21.3 s as the slowest; 6 + 7 + 7 + 6 leaves 21.
    """
    asked = spacious(large(layers=26, stages=4))
    found = compare(asked, MEGATRON)
    assert found.best.assignment.sizes == (6, 7, 7, 6)
    assert max(found.best.assignment.device_s) == pytest.approx(21)
    assert found.even is not None
    assert max(found.even.assignment.device_s) == pytest.approx(21.3)
    assert found.gain == pytest.approx(15 * 0.3 / found.best.assignment.step_time_s)
    assert found.gap == pytest.approx(0)
    assert found.runnable is not None
    assert found.runnable.how == (
        "--num-layers 26 --pipeline-model-parallel-size 4 "
        "--decoder-first-pipeline-num-layers 6 --decoder-last-pipeline-num-layers 6"
    )


def test_what_can_be_expressed_is_never_better_than_the_best() -> None:
    for seed in range(12):
        asked = large(layers=20 + seed, stages=4, noise=0.1 * (seed % 2))
        for framework in FRAMEWORKS.values():
            found = compare(asked, framework)
            one = compare(asked, framework, coupling=Coupling(one_recompute=True))
            for gap in (found.gap, found.gain, one.gap):
                assert gap is None or gap >= -1e-12
            assert one.best.assignment.step_time_s >= found.best.assignment.step_time_s


def test_interleaved_stages_in_megatron() -> None:
    asked = spacious(problem(2, layers=14, stages=4, chunks=2, kinds=1))
    folded = replace(asked, device_of=np.tile(np.arange(4), 2))
    found = compare(folded, MEGATRON, time_limit_s=5)
    assert found.runnable is not None
    assert found.runnable.assignment.sizes == (1, 2, 2, 2, 2, 2, 2, 1)
    assert "--account-for-embedding-in-pipeline-split" in found.runnable.how
    assert "--num-virtual-stages-per-pipeline-rank 2" in found.runnable.how


def test_frameworks_without_a_setting_do_not_run_it() -> None:
    """Where keeping all does not fit: Megatron has selective recomputation, DeepSpeed has not."""
    asked = large(layers=24, stages=4)
    some = compare(asked, MEGATRON).runnable
    whole = compare(asked, FRAMEWORKS["deepspeed"]).runnable
    assert some is not None
    assert whole is not None
    assert "--recompute-granularity selective" in some.how
    assert whole.how == "6 layers a stage, recompute full"
    assert set(whole.assignment.choice) == {2}


def test_the_searcher_is_chosen_by_the_question() -> None:
    asked = large(layers=12, stages=4)
    assert compare(asked, MEGATRON).best.searcher == "dp"
    assert compare(asked, MEGATRON, searcher="ilp").best.searcher == "ilp, HiGHS"
    kinds = compare(asked, MEGATRON, coupling=Coupling(max_kinds=2))
    assert kinds.best.searcher == "ilp, HiGHS"
    with pytest.raises(InputError, match="--searcher ilp"):
        compare(asked, MEGATRON, searcher="dp", coupling=Coupling(max_kinds=2))
    with pytest.raises(InputError, match="no searcher"):
        compare(asked, MEGATRON, searcher="guess")


def test_megatron_takes_any_split_by_its_layout() -> None:
    """Layers of 6, 3 + 3, 6, 2 + 2 + 2 and 6 s: five stages of 6 s each."""
    asked = spacious(large(layers=8, stages=5))
    forward_s = np.array([6.0, 3, 3, 6, 2, 2, 2, 6])
    layers = replace(asked.layers, forward_s=forward_s, backward_s=np.outer(forward_s, [0, 1, 2]))
    devices = replace(asked.devices, extra_s=np.zeros(5))
    found = compare(replace(asked, layers=layers, devices=devices), MEGATRON)
    assert found.best.assignment.device_s == (6,) * 5
    assert found.runnable is not None
    assert found.runnable.how == (
        "--num-layers 8 --pipeline-model-parallel-size 5 "
        "--pipeline-model-parallel-layout 'Et*1|t*2|t*1|t*3|t*1L'"
    )
    assert found.gap == 0
