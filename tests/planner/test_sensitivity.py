"""The slopes around a plan."""

import pytest

from plan3d.planner.refine import replayed
from plan3d.planner.sensitivity import Change, neighbours
from plan3d.simulator.estimate import estimate_table
from plan3d.simulator.layout import Layout, LayoutTable, Recompute
from plan3d.simulator.model import Experts
from plan3d.simulator.result import EstimateTable
from tests.planner.jobs import job, model
from tests.planner.test_exhaustive import Fake

JOB = job(32, batch=32)
LAYOUT = Layout(tp=2, sp=1, pp=2, dp=8, zero=1, shard=8)


def by_step(changes: tuple[Change, ...]) -> dict[tuple[str, float], Change]:
    return {(change.axis, change.after): change for change in changes}


def test_each_axis_up_and_down_by_hand() -> None:
    """A step of 1 s per stage plus a tenth per tp: what each axis does can be counted."""
    fake = Fake(lambda t: t.pp + t.tp / 10, lambda t: 16 / (t.tp * t.pp))
    found = by_step(neighbours(JOB, LAYOUT, evaluator=fake))
    assert found["tp", 4].step_time_s == pytest.approx(0.2)
    assert found["tp", 4].gain == pytest.approx(2.2 / 2.4 - 1)
    assert found["tp", 4].peak_bytes == pytest.approx(-2 * 2**30)
    assert found["tp", 4].layout == Layout(tp=4, sp=1, pp=2, dp=4, zero=1, shard=4)
    assert found["tp", 1].step_time_s == pytest.approx(-0.1)
    assert found["pp", 4].time_s["bubble_s"] == pytest.approx(2.0)
    assert found["pp", 1].layout == Layout(tp=2, sp=1, dp=16, zero=1, shard=16)
    assert found["zero", 0].step_time_s == 0
    assert {(axis, found[axis, after].before) for axis, after in found} == {
        ("tp", 2), ("pp", 2), ("cp", 1), ("vpp", 1), ("micro_batch", 1), ("zero", 1), ("sp", 1),
        ("recompute", 0),
    }  # fmt: skip
    assert fake.asked == 1 + sum(change.layout is not None for change in found.values())


def test_what_is_not_legal_says_why() -> None:
    """ZeRO-2 with stages is refused by Megatron-LM; any has both stages 2 and 3."""
    told = by_step(neighbours(JOB, LAYOUT, evaluator=Fake(lambda t: t.pp, lambda t: t.pp)))
    change = told["zero", 2]
    assert change.layout is change.estimate is change.gain is None
    assert "ZeRO-2 and ZeRO-3 do not combine with pipeline stages" in change.refused
    assert change.time_s == change.memory_bytes == {}
    both = neighbours(JOB, LAYOUT, framework="any", evaluator=Fake(lambda t: t.pp, lambda t: t.pp))
    assert by_step(both)["zero", 2].layout is not None


def test_the_next_legal_value_is_taken_not_the_next_number() -> None:
    """7 stages do not divide 32 GPUs, 6 do not either: after 4 come 8."""
    told = by_step(neighbours(JOB, Layout(pp=4, dp=8)))
    assert ("pp", 8) in told
    assert told["pp", 8].layout == Layout(pp=8, dp=4)


def test_the_changes_are_those_of_the_estimates_with_pipelines_played() -> None:
    for change in neighbours(JOB, LAYOUT):
        if change.layout is None or change.estimate is None:
            continue
        table = LayoutTable.of([LAYOUT, change.layout])
        closed = estimate_table(JOB.model, JOB.work, JOB.cluster, JOB.software, table)
        both = replayed(JOB, table, closed)
        assert change.estimate == both.row(1)
        assert set(change.time_s) == set(EstimateTable.TIME)
        total_s = both.row(1).step_time_s - both.row(0).step_time_s
        assert change.step_time_s == pytest.approx(total_s, abs=1e-15)
        total_bytes = both.row(1).memory_bytes - both.row(0).memory_bytes
        assert change.peak_bytes == pytest.approx(total_bytes, abs=1)


def test_a_model_with_experts_has_their_axes_too() -> None:
    spec = model(experts=Experts(count=4, top_k=2, ffn=128))
    told = neighbours(job(32, spec, batch=32), Layout(tp=2, sp=1, etp=2, dp=16, ep=2))
    found = by_step(told)
    assert found["ep", 4].layout == Layout(tp=2, sp=1, etp=2, dp=16, ep=4)
    assert found["etp", 1].layout == Layout(tp=2, sp=1, dp=16, ep=2)
    assert found["recompute", 1].after == Recompute.SELECTIVE
