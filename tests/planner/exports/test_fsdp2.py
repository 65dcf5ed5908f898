"""The function that is exported for FSDP2 wraps a model, on a process group that is not there."""

import pytest

from plan3d.planner.exports import export
from plan3d.simulator.layout import Layout, Recompute
from tests.planner.exports.plans import plan

torch = pytest.importorskip("torch")


@pytest.mark.filterwarnings("ignore")
def test_a_model_is_wrapped() -> None:
    fake = pytest.importorskip("torch.testing._internal.distributed.fake_pg")
    layout = Layout(dp=8, zero=3, shard=4, recompute=Recompute.FULL)
    space: dict[str, object] = {}
    exec(compile(export("fsdp2", plan(layout)).text, "exported", "exec"), space)
    torch.distributed.init_process_group("fake", rank=0, world_size=8, store=fake.FakeStore())
    try:
        blocks = torch.nn.ModuleList(torch.nn.Linear(8, 8, bias=False) for _ in range(2))
        model = torch.nn.Module()
        model.blocks = blocks
        wrapped = space["parallelize"](model, blocks, device="cpu")  # type: ignore[operator]
        first = next(iter(wrapped.blocks.parameters()))
        assert tuple(first.to_local().shape) == (2, 8)  # a quarter of the rows
    finally:
        torch.distributed.destroy_process_group()
