"""Any layout, model and software, for properties that hold whatever they are."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st

from plan3d.simulator.estimate import estimate
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.layout import Layout, Order, Recompute, Schedule
from plan3d.simulator.result import Estimate
from plan3d.simulator.software import Software
from plan3d.simulator.workload import Workload
from tests.simulator.jobs import BUSY, DGX, KEEPING, MODELS, PLAIN, WORK

few = settings(max_examples=25, deadline=None)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Layouts that leave at least one micro-batch, of any combination of features."""
    power = st.sampled_from([1, 2, 4])
    pp, cp, dp = draw(power), draw(power), draw(st.sampled_from([1, 2, 16]))
    tp = draw(st.sampled_from([1, 2, 4, 8]))
    vpp = draw(st.sampled_from([1, 2])) if pp > 1 else 1
    plain = st.sampled_from([Schedule.GPIPE, Schedule.ONE_F_ONE_B])
    zero = draw(st.integers(0, 3)) if dp * cp > 1 else 0
    recompute = draw(st.sampled_from(Recompute))
    return Layout(
        tp=tp, pp=pp, dp=dp, cp=cp, vpp=vpp, zero=zero,
        micro_batch=draw(power),
        schedule=Schedule.INTERLEAVED if vpp > 1 else draw(plain),
        shard=draw(st.sampled_from([dp * cp, max(dp * cp // 2, 1)])) if zero else 1,
        sp=draw(st.integers(0, 1)) if tp > 1 else 0,
        recompute=recompute,
        recompute_layers=draw(st.integers(1, 3)) if recompute == Recompute.BLOCK else 0,
        cp_all_to_all=draw(st.integers(0, 1)),
        tp_overlap=draw(st.integers(0, 1)),
        dp_overlap=draw(st.integers(0, 1)),
        pp_overlap=draw(st.integers(0, 1)),
        offload=draw(st.sampled_from([0.0, 0.5, 1.0])) if zero else 0.0,
        order=draw(st.sampled_from(Order)),
        ep=draw(st.sampled_from([1, 2])), etp=draw(st.sampled_from([1, tp])),
    )  # fmt: skip


models = st.sampled_from(sorted(MODELS))
OTHER = replace(BUSY, attention=("unfused",), sharded_loss=True, keeps_gathered=False)
softwares = st.sampled_from([PLAIN, BUSY, KEEPING, OTHER])


def run(
    layout: Layout, name: str = "gpt", software: Software = BUSY, cluster: Cluster = DGX,
    work: Workload = WORK,
) -> Estimate:  # fmt: skip
    return estimate(MODELS[name], work, cluster, software, layout)
