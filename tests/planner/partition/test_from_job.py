"""The problem of a job costs what the estimate says; the rest is by hand."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.planner.frameworks import ANY, FRAMEWORKS
from plan3d.planner.partition.cost import evaluate
from plan3d.planner.partition.from_job import check_layout, layer_is_moe, partition_problem
from plan3d.planner.result import Job
from plan3d.simulator.errors import InputError
from plan3d.simulator.estimate import estimate, estimate_table
from plan3d.simulator.layout import Layout, LayoutTable, Recompute, Schedule
from plan3d.simulator.model import Experts
from plan3d.simulator.result import Estimate
from tests.planner.jobs import job

BASE = Layout(tp=2, pp=4, dp=2, sp=1, zero=1, shard=2)


def asked(**axes: int) -> Job:
    found = job(gpus=16, **axes)
    return replace(found, model=replace(found.model, layers=8))


def estimated(of: Job, layout: Layout) -> Estimate:
    return estimate(of.model, of.work, of.cluster, of.software, layout)


@pytest.mark.parametrize(
    "layout",
    [
        BASE,
        replace(BASE, recompute=Recompute.SELECTIVE),
        replace(BASE, recompute=Recompute.FULL),
        replace(BASE, micro_batch=2, schedule=Schedule.GPIPE),
        replace(BASE, vpp=2, schedule=Schedule.INTERLEAVED, recompute=Recompute.FULL),
        replace(BASE, pp=8, dp=1, shard=1, zero=0),
        replace(BASE, pp=1, dp=8, shard=8, zero=3),
    ],
    ids=str,
)
def test_the_even_split_costs_what_the_estimate_says(layout: Layout) -> None:
    question = asked()
    problem = partition_problem(question, layout)
    chunks = layout.pp * layout.vpp
    found = evaluate(problem, [8 // chunks] * chunks, [int(layout.recompute)] * 8)
    expected = estimated(question, layout)
    assert found.step_time_s == pytest.approx(expected.step_time_s, rel=1e-12)
    assert max(found.memory_bytes) == pytest.approx(expected.memory_bytes, rel=1e-12)
    assert found.memory_bytes[0] == pytest.approx(expected.first_stage.total_bytes, rel=1e-12)
    assert found.fits == expected.fits


@pytest.mark.parametrize("micro_batch", [4, 8])
def test_logits_apart_from_blocks_are_what_the_estimate_says(micro_batch: int) -> None:
    """With two micro-batches per step, and with one."""
    question = asked()
    software = replace(question.software, loss_apart=True, sharded_loss=False, gathering_bytes=3.0)
    question = replace(question, software=software)
    layout = replace(BASE, micro_batch=micro_batch, recompute=Recompute.FULL)
    found = evaluate(partition_problem(question, layout), [2] * 4, [int(layout.recompute)] * 8)
    expected = estimated(question, layout)
    assert max(found.memory_bytes) == pytest.approx(expected.memory_bytes, rel=1e-12)


@pytest.mark.parametrize("apart", [False, True])
def test_logits_that_live_on_are_what_the_estimate_says(apart: bool) -> None:
    """They are so many that the last stage is the fullest, but its blocks need more than is new."""
    question = asked()
    software = replace(question.software, logits_kept=0.99, loss_apart=apart)
    model = replace(question.model, vocab=10 * question.model.vocab)
    question = replace(question, software=software, model=model)
    layout = replace(BASE, micro_batch=4, recompute=Recompute.FULL)
    found = evaluate(partition_problem(question, layout), [2] * 4, [int(layout.recompute)] * 8)
    expected = estimated(question, layout)
    assert max(found.memory_bytes) == found.memory_bytes[-1]
    assert max(found.memory_bytes) == pytest.approx(expected.memory_bytes, rel=1e-12)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"whole_buffers": 2.0}, id="buffers for gathering"),
        pytest.param({"send_overhead_s": 0.1}, id="waits beside transfers"),
        pytest.param({"frees_gradients": True}, id="gradients when activations go"),
        pytest.param({"gradient_copy_bytes": 600.0}, id="copies of gradients"),
        pytest.param({"memory_cached": 0.2, "late_most": 50.0}, id="what is kept is no need"),
    ],
)
@pytest.mark.parametrize("micro_batch", [1, 8])
def test_what_some_software_does_costs_what_the_estimate_says(
    changes: dict[str, float], micro_batch: int
) -> None:
    """With eight micro-batches per step, and with one; all is recomputed."""
    question = asked()
    question = replace(question, software=replace(question.software, **changes))
    layout = replace(BASE, micro_batch=micro_batch, recompute=Recompute.FULL)
    found = evaluate(partition_problem(question, layout), [2] * 4, [int(Recompute.FULL)] * 8)
    expected = estimate_table(
        question.model, question.work, question.cluster, question.software, LayoutTable.of([layout])
    )
    need = expected.memory_bytes - expected.kept_bytes
    assert found.step_time_s == pytest.approx(expected.step_time_s[0], rel=1e-12)
    assert max(found.memory_bytes) == pytest.approx(need[0], rel=1e-12)


def test_layers_with_experts_stand_where_the_model_has_them() -> None:
    model = asked().model
    assert layer_is_moe(model) == [False] * 8
    experts = Experts(count=8, top_k=2, ffn=64, dense_first=2)
    assert layer_is_moe(replace(model, experts=experts)) == [False] * 2 + [True] * 6
    second = replace(model, experts=replace(experts, dense_first=0, every=2))
    assert layer_is_moe(second) == [False, True] * 4
    assert sum(layer_is_moe(second)) == second.moe_layers


def test_a_mixture_has_two_kinds_of_layers() -> None:
    question = asked()
    experts = Experts(count=8, top_k=2, ffn=question.model.ffn, dense_first=2)
    mixture = replace(question, model=replace(question.model, experts=experts))
    problem = partition_problem(mixture, BASE)
    state = problem.layers.state_bytes
    assert len(np.unique(state)) == 2
    assert state[0] < state[7]
    plain = partition_problem(question, BASE).layers
    assert state[0] == plain.state_bytes[0]
    assert problem.layers.forward_s[0] == plain.forward_s[0]
    # As a whole it is what the estimate makes of a mean block, but for the straggling stages.
    mean = evaluate(problem, [2] * 4, [0] * 8)
    assert sum(mean.device_s) == pytest.approx(
        problem.layers.time_s[:, 0].sum() + problem.devices.extra_s.sum()
    )


def test_layouts_that_cannot_run() -> None:
    check_layout(asked(), replace(BASE, pp=4), ANY)
    uneven = replace(BASE, tp=1, sp=0, pp=3, dp=5, shard=5)
    nine = replace(asked(), gpus=15)
    nine = replace(nine, work=replace(nine.work, global_batch=5 * 8))
    check_layout(nine, uneven, FRAMEWORKS["megatron"])
    with pytest.raises(InputError, match="16 pipeline stages are more than the 8 layers"):
        check_layout(asked(), replace(BASE, pp=16), ANY)
    with pytest.raises(InputError, match="is not the number of GPUs"):
        check_layout(asked(), replace(BASE, dp=4, shard=4), ANY)
    with pytest.raises(InputError, match="nanotron has no ZeRO stage 3"):
        check_layout(asked(), replace(BASE, zero=3), FRAMEWORKS["nanotron"])
    with pytest.raises(InputError, match="uneven stages is known for"):
        partition_problem(asked(), replace(BASE, schedule=Schedule.ZB_H1))
