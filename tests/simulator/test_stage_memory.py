"""Every stage's memory: the fullest is the estimate's, and each term is where it belongs."""

import pytest

from plan3d.simulator.context import Context
from plan3d.simulator.estimate import estimate
from plan3d.simulator.layout import Layout, Recompute, Schedule
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.stage_memory import stage_memory
from tests.simulator.jobs import DGX, GPT, LLAMA, MIXTURE, PLAIN, WORK

LAYOUTS = [
    Layout(tp=2, pp=1, dp=4),
    Layout(tp=2, pp=4, dp=2, zero=1, shard=2, recompute=Recompute.SELECTIVE),
    Layout(tp=1, pp=8, dp=1, recompute=Recompute.FULL),
    Layout(tp=1, pp=4, dp=2, vpp=2, schedule=Schedule.INTERLEAVED),
    Layout(tp=1, pp=4, dp=2, vpp=2, schedule=Schedule.ZB_V),
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("model", [GPT, LLAMA, MIXTURE], ids=lambda model: model.name)
def test_the_fullest_stage_is_that_of_the_estimate(model: ModelSpec, layout: Layout) -> None:
    context = Context(model=model, work=WORK, cluster=DGX, software=PLAIN)
    found = stage_memory(context, layout)
    whole = estimate(model, WORK, DGX, PLAIN, layout)
    assert len(found) == layout.pp
    assert max(stage.total_bytes for stage in found) == pytest.approx(whole.memory_bytes)
    assert found[whole.stage].total_bytes == pytest.approx(whole.memory_bytes)


def test_terms_are_where_they_belong() -> None:
    """Under 1F1B stage i of p keeps p - i micro-batches; the logits are on the last stage."""
    context = Context(model=GPT, work=WORK, cluster=DGX, software=PLAIN)
    first, second, third, last = stage_memory(context, Layout(pp=4, dp=2))
    assert second.activations_bytes / third.activations_bytes == pytest.approx(3 / 2)
    assert first.activations_bytes / second.activations_bytes == pytest.approx(4 / 3)
    assert [stage.logits_bytes > 0 for stage in (first, second, third)] == [False] * 3
    assert last.parameters_bytes > third.parameters_bytes == second.parameters_bytes
