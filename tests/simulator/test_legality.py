"""One layout that breaks each rule, and the same without the fault."""

import pytest

from plan3d.simulator.layout import Layout, LayoutTable, Recompute, Schedule
from plan3d.simulator.legality import EXPLANATIONS, Reason, explain, reasons
from plan3d.simulator.model import Experts, ModelSpec
from plan3d.simulator.workload import Workload
from tests.planner.jobs import cluster

DENSE = ModelSpec(
    layers=24, hidden=64, heads=24, kv_heads=6, head_dim=8, ffn=240, vocab=1000
)  # fmt: skip
MOE = ModelSpec(
    layers=24, hidden=64, heads=24, kv_heads=6, head_dim=8, ffn=240, vocab=1000,
    experts=Experts(count=6, top_k=2, ffn=36, shared_ffn=48),
)  # fmt: skip
INTERLEAVED = Schedule.INTERLEAVED


def flags(layout: Layout, model: ModelSpec = DENSE, *, seq: int = 96, batch: int = 48) -> Reason:
    work = Workload(seq=seq, global_batch=batch)
    return Reason(int(reasons(model, work, cluster(8), layout.gpus, LayoutTable.of([layout]))[0]))


@pytest.mark.parametrize(
    "layout",
    [
        Layout(),
        Layout(tp=2, sp=1, dp=3, zero=1, shard=3),
        Layout(tp=2, pp=2),
        Layout(pp=4, vpp=3, schedule=INTERLEAVED, dp=2),
        Layout(pp=2, vpp=2, schedule=INTERLEAVED),
        Layout(pp=13, vpp=1),  # 26 = 24 + embedding + loss, 2 on each stage
        Layout(cp=4),
        Layout(cp=3, cp_all_to_all=1),
        Layout(dp=6, zero=3, shard=2),
        Layout(dp=2, cp=3, zero=2, shard=6, offload=0.5),
        Layout(pp=2, recompute=Recompute.BLOCK, recompute_layers=12),
        Layout(recompute=Recompute.FULL),
    ],
    ids=str,
)
def test_legal(layout: Layout) -> None:
    assert flags(layout) == Reason(0)


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        (Layout(tp=3, dp=4), Reason.NODE),  # nodes of 8
        (Layout(tp=16), Reason.NODE | Reason.HEADS | Reason.KV_HEADS),
        (Layout(tp=4, dp=2), Reason.KV_HEADS),  # 6 heads on 4 ranks
        (Layout(pp=48), Reason.FEW_LAYERS | Reason.UNEVEN),
        (Layout(pp=7), Reason.UNEVEN),
        (Layout(pp=6, vpp=3, schedule=INTERLEAVED), Reason.LOST_LAYERS),  # 4 layers in 3 chunks
        (Layout(vpp=2, schedule=INTERLEAVED), Reason.INTERLEAVE),
        (Layout(pp=2, vpp=2, schedule=INTERLEAVED, pp_overlap=0), Reason.INTERLEAVE),
        (Layout(pp=4, vpp=2, schedule=INTERLEAVED, dp=8), Reason.INTERLEAVE_BATCH),  # 6 of them
        (Layout(pp=4, schedule=INTERLEAVED), Reason.SCHEDULE),
        (Layout(pp=4, vpp=2), Reason.SCHEDULE),
        (Layout(dp=5), Reason.BATCH),
        (Layout(dp=3, micro_batch=32), Reason.BATCH),
        (Layout(cp=32), Reason.SEQUENCE),  # 96 tokens in 64 pieces
        (Layout(cp=5, cp_all_to_all=1), Reason.SEQUENCE | Reason.ULYSSES),
        (Layout(cp=4, cp_all_to_all=1), Reason.ULYSSES),  # 6 key-value heads on 4 ranks
        (Layout(sp=1), Reason.SEQUENCE_PARALLEL),
        (Layout(ep=2, dp=2), Reason.EXPERTS),
        (Layout(dp=6, zero=1, shard=4), Reason.SHARD),
        (Layout(dp=6, zero=1), Reason.SHARD),
        (Layout(dp=6, shard=6), Reason.SHARD),
        (Layout(pp=2, dp=2, zero=2, shard=2), Reason.ZERO_PIPELINE),
        (Layout(recompute_layers=2), Reason.RECOMPUTE),
        (Layout(recompute=Recompute.BLOCK), Reason.RECOMPUTE),
        (Layout(pp=2, recompute=Recompute.BLOCK, recompute_layers=13), Reason.RECOMPUTE),
        (Layout(dp=2, offload=0.5), Reason.OFFLOAD),
    ],
    ids=str,
)
def test_illegal(layout: Layout, reason: Reason) -> None:
    assert flags(layout) == reason


def test_sequence_parallelism_splits_the_sequence() -> None:
    assert flags(Layout(tp=2, sp=1), seq=95) == Reason.SEQUENCE_PARALLEL


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        (Layout(dp=6, ep=6), Reason(0)),
        (Layout(tp=2, sp=1, dp=3, ep=3, etp=2), Reason(0)),
        (Layout(tp=2, sp=1, dp=3, ep=6), Reason(0)),  # experts fold over tp
        (Layout(tp=2, dp=3, ep=3, etp=2), Reason.EXPERT_SEQUENCE),
        (Layout(tp=2), Reason.EXPERT_SEQUENCE),  # ep=1, too
        (Layout(dp=4, ep=4), Reason.EXPERTS),  # 6 experts
        (Layout(dp=4, ep=3), Reason.FOLDING),
        (Layout(tp=2, sp=1, dp=4, etp=4), Reason.FOLDING),  # etp beyond tp
        (Layout(tp=8, sp=1, etp=8), Reason.KV_HEADS | Reason.FFN),  # expert width 36
    ],
    ids=str,
)
def test_experts(layout: Layout, reason: Reason) -> None:
    assert flags(layout, MOE) == reason


def test_silent_layer_loss_has_a_name() -> None:
    """80 layers, 16 stages of 5, in chunks of 5 // 2 = 2: 16 * 2 * 2 = 64 layers would train."""
    model = ModelSpec(layers=80, hidden=64, heads=8, kv_heads=8, head_dim=8, ffn=256, vocab=1000)
    layout = Layout(pp=16, vpp=2, schedule=INTERLEAVED)
    assert flags(layout, model) == Reason.LOST_LAYERS
    assert "silently train with fewer layers" in explain(Reason.LOST_LAYERS)[0]


def test_a_job_smaller_than_a_node_is_its_own_node() -> None:
    assert flags(Layout(tp=6)) == Reason(0)


def test_all_gpus_have_work() -> None:
    work = Workload(seq=96, global_batch=48)
    table = LayoutTable.of([Layout(dp=2), Layout(dp=4)])
    assert reasons(DENSE, work, cluster(), 4, table).tolist() == [Reason.GPUS, 0]


def test_every_reason_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Reason)
    assert explain(0) == []
    assert len(explain(Reason.HEADS | Reason.BATCH)) == 2
