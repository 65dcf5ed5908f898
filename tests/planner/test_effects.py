"""What the known techniques do to a layout."""

from dataclasses import replace

import pytest

from plan3d import hardware_profiles
from plan3d.planner.effects import MOST_STEPS, Effect, advise, climbed, effects
from plan3d.planner.exhaustive import search
from plan3d.planner.refine import replayed
from plan3d.planner.result import Job
from plan3d.planner.sensitivity import neighbours
from plan3d.simulator.estimate import estimate_table
from plan3d.simulator.layout import Layout, LayoutTable, Recompute
from plan3d.simulator.model import Experts, ModelSpec
from plan3d.simulator.workload import Workload
from tests.planner.jobs import job, model

JOB = job(32, batch=64)
LAYOUT = Layout(tp=4, sp=1, pp=2, dp=4, micro_batch=2, recompute=Recompute.FULL)
LECTURE = {
    "gradient accumulation", "activation checkpointing", "mixed precision", "batch size",
    "optimizer", "offload", "ZeRO",
}  # fmt: skip


def named(found: tuple[Effect, ...], change: str) -> Effect:
    return next(effect for effect in found if effect.trial.change == change)


def test_every_technique_of_the_lecture_is_answered() -> None:
    _, found = effects(JOB, LAYOUT)
    assert {effect.trial.technique for effect in found} >= LECTURE | {"fused attention"}


def test_experts_are_tried_with_and_without_tensor_parallelism() -> None:
    asked = job(8, model(experts=Experts(count=4, top_k=2, ffn=64)))
    layout = Layout(tp=2, sp=1, dp=4, ep=2, etp=2)
    found = named(effects(asked, layout)[1], "etp=1")
    assert found.layout == replace(layout, etp=1)
    assert named(effects(asked, found.layout)[1], "etp=2").layout == layout
    refused = named(effects(asked, found.layout, framework="nanotron")[1], "etp=2").refused
    assert refused == "nanotron has no tensor parallelism of the experts alone"
    dense = effects(JOB, LAYOUT)[1]
    assert not any(effect.trial.change.startswith("etp") for effect in dense)


def test_what_fits_comes_first_the_largest_gain_in_front() -> None:
    _, found = effects(JOB, LAYOUT)
    kinds = [(not e.fits, e.estimate is None) for e in found]
    assert kinds == sorted(kinds)
    gains = [e.gain for e in found if e.fits and e.gain is not None]
    assert gains == sorted(gains, reverse=True)


def test_an_effect_is_the_difference_of_two_estimates() -> None:
    base, found = effects(JOB, LAYOUT)
    effect = named(found, "zero=1")
    assert effect.layout == Layout(
        tp=4, sp=1, pp=2, dp=4, micro_batch=2, recompute=Recompute.FULL, zero=1, shard=4
    )
    table = LayoutTable.of([LAYOUT, effect.layout])
    closed = estimate_table(JOB.model, JOB.work, JOB.cluster, JOB.software, table)
    both = replayed(JOB, table, closed)
    assert base == both.row(0)
    assert effect.estimate == both.row(1)
    assert effect.gain == pytest.approx(both.step_time_s[0] / both.step_time_s[1] - 1)
    assert effect.memory_bytes == both.memory_bytes[1] - both.memory_bytes[0]


def test_twice_the_batch_is_compared_by_the_token() -> None:
    base, found = effects(JOB, LAYOUT)
    effect = named(found, "--global-batch 128")
    assert effect.estimate is not None
    assert not effect.trial.converges_alike
    step_s = effect.estimate.step_time_s
    assert effect.gain == pytest.approx(2 * base.step_time_s / step_s - 1)


def test_what_does_not_apply_says_why() -> None:
    _, found = effects(JOB, Layout(tp=4, sp=1, dp=8), framework="megatron")
    why = {e.trial.technique: e.refused for e in found if e.refused}
    assert why["pipeline schedule"] == "there are no pipeline stages: pp is 1"
    assert why["expert parallelism"] == "the model has no experts"
    assert why["mixed precision"] == "some-gpu has no fp8"
    _, deepspeed = effects(JOB, Layout(dp=32), framework="deepspeed")
    refused = named(deepspeed, "recompute=selective")
    assert refused.refused == "deepspeed has no recompute=selective"


@pytest.mark.parametrize("layout", [LAYOUT, Layout(dp=32), Layout(pp=8, dp=4)])
def test_climbing_ends_where_no_neighbour_is_better(layout: Layout) -> None:
    path = climbed(JOB, layout)
    assert 0 < len(path) < MOST_STEPS
    last = path[-1]
    assert last.layout is not None
    assert last.estimate is not None
    for step in neighbours(JOB, last.layout):
        if step.estimate is not None and step.estimate.fits:
            assert step.estimate.step_time_s >= last.estimate.step_time_s
    times = [step.estimate.step_time_s for step in path if step.estimate]
    assert times == sorted(times, reverse=True)


def test_the_best_of_all_is_that_of_a_search() -> None:
    advice = advise(JOB, LAYOUT)
    assert advice.best == search(JOB, top=1).plans[0]
    assert advice.effects == effects(JOB, LAYOUT)[1]


def seven_billion() -> Job:
    llama = ModelSpec(
        layers=32, hidden=4096, heads=32, kv_heads=32, head_dim=128, ffn=11008, vocab=32000,
        gated=True, norm="rmsnorm", positions="rotary", tied=False, qkv_bias=False,
        out_bias=False, mlp_bias=False,
    )  # fmt: skip
    return Job(
        model=llama, work=Workload(seq=2048, global_batch=64),
        cluster=hardware_profiles.load("dgx-a100-80g"),
        software=hardware_profiles.software("megatron-core"), gpus=8,
    )  # fmt: skip


def test_checkpointing_halves_memory_and_costs_a_quarter() -> None:
    """The lecture: 17.23 -> 9.03 GB for 18.95 -> 22.58 min (+19 %); theory allows a third."""
    _, found = effects(seven_billion(), Layout(tp=2, sp=1, dp=4, micro_batch=4, zero=1, shard=4))
    full = named(found, "recompute=full")
    assert full.gain is not None
    assert full.memory_bytes is not None
    assert 0.10 < 1 / (1 + full.gain) - 1 < 0.36
    assert full.memory_bytes < -8e9


def test_offload_saves_memory_and_costs_time() -> None:
    """The lecture's direction: less memory, more time. Adam's 12 bytes of each parameter leave."""
    layout = Layout(tp=2, sp=1, dp=4, zero=1, shard=4)
    _, found = effects(seven_billion(), layout)
    effect = named(found, "offload=1")
    assert effect.gain is not None
    assert effect.memory_bytes is not None
    assert effect.gain < 0
    assert effect.memory_bytes == pytest.approx(-12 * 6.74e9 / 8, rel=0.02)
