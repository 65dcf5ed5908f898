"""An answer whose figures are easily checked in the head: 16 GPUs, a step of 2 s, half the peak."""

import pytest

from plan3d.cli.question import Question
from plan3d.planner.result import Certificate, Job, Plan, SearchResult
from plan3d.simulator.hardware import Cluster, GemmLaw, Gpu, Network, NodeFabric, Peaks
from plan3d.simulator.layout import Layout, Recompute
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.result import Estimate, LinkTime, Memory, StepTime
from plan3d.simulator.software import Software
from plan3d.simulator.workload import Workload

GIB = 2.0**30


@pytest.fixture
def software() -> Software:
    return Software(
        name="some-software", attention=("flash2",), elementwise_traffic=1, dispatch_s=0,
        gradient_bytes=4, reduce_bytes=4, tp_overlap=0, dp_overlap=0, zero3_overlap=0,
        pp_overlap=0, vocab_multiple=128, sp_default=True, scatter_gather=True,
        zero2_every_micro_batch=False, logits_bytes=8, memory_margin=0.1, bucket_bytes=0,
        step_overhead_s=0, contention=0,
    )  # fmt: skip


@pytest.fixture
def cluster() -> Cluster:
    gpu = Gpu(
        name="some-gpu", peaks=Peaks(fp32=1e12, tf32=1e12, fp16=3e14, bf16=3e14, fp8=0),
        memory_bytes=80 * GIB, hbm_bytes_per_s=2e12, sms=100,
        gemm=GemmLaw(efficiency=1, droop=0, overhead_s=0, memory_efficiency=1, fp8_efficiency=1),
        attention={}, elementwise_efficiency=1, elementwise_overhead_s=0, host_bytes_per_s=1e10,
        context_bytes=2 * GIB, power_w=400, usd_per_s=2 / 3600,
    )  # fmt: skip
    node = NodeFabric(
        latency_s=0, step_latency_s=0, ramp_s_per_sqrt_byte=0, all_reduce_bytes_per_s=1e11,
        all_gather_bytes_per_s=1e11, reduce_scatter_bytes_per_s=1e11, group_loss=0,
        p2p_latency_s=0, p2p_bytes_per_s=1e11,
        all_to_all_latency_s=0, all_to_all_step_s=0, all_to_all_bytes_per_s=1e11,
    )  # fmt: skip
    network = Network(
        name="some-network", nic_bytes_per_s=1e10, efficiency=1, tree_latency_s=0,
        ring_latency_s=0, p2p_latency_s=0, p2p_efficiency=1,
    )  # fmt: skip
    return Cluster(
        name="some-cluster", gpu=gpu, gpus_per_node=8, node=node, network=network, digest="abc123"
    )


@pytest.fixture
def question(cluster: Cluster, software: Software) -> Question:
    model = ModelSpec(
        name="tiny|model", layers=4, hidden=64, heads=4, kv_heads=4, head_dim=16, ffn=256, vocab=512
    )
    work = Workload(seq=2048, global_batch=16)
    return Question(
        job=Job(model=model, work=work, cluster=cluster, software=software, gpus=16),
        tokens=43_200 * 2048 * 16.0,  # a day of steps of 2 s
        fidelity="analytical",
        version="9.9",
        options="--model tiny --gpus 16",
        assumed=("software some-software: the default",),
    )


def estimate(activations_gib: float) -> Estimate:
    zeros = dict.fromkeys(StepTime.__dataclass_fields__, 0.0)
    terms = {"matmul_s": 1.0, "attention_s": 0.25, "tp_comm_s": 0.25, "bubble_s": 0.4}
    memory = Memory(
        parameters_bytes=8 * GIB, gradients_bytes=8 * GIB, optimizer_bytes=12 * GIB,
        activations_bytes=activations_gib * GIB, logits_bytes=0, transient_bytes=0,
        buckets_bytes=0, context_bytes=2 * GIB, margin_bytes=4 * GIB,
    )  # fmt: skip
    return Estimate(
        time=StepTime(**(zeros | terms | {"dp_comm_s": 0.1})),
        link=LinkTime(tp_link_s=0.5, cp_link_s=0, ep_link_s=0, pp_link_s=0, dp_link_s=0.3),
        memory=memory, stage=0, first_stage=memory, model_flop=4.8e15, hardware_flop=6e15,
        capacity_bytes=80 * GIB, gpus=16, peak_flop_per_s=3e14, tokens=2048 * 16,
    )  # fmt: skip


@pytest.fixture
def plan() -> Plan:
    layout = Layout(
        tp=2, pp=4, dp=2, micro_batch=1, zero=1, shard=2, sp=1, recompute=Recompute.SELECTIVE
    )
    return Plan(
        rank=1, layout=layout, estimate=estimate(6), behind=0.0, variants=3, reason="the best"
    )


@pytest.fixture
def miss() -> Plan:
    return Plan(
        rank=1,
        layout=Layout(dp=16),
        estimate=estimate(50),
        behind=0.0,
        variants=1,
        reason="too big",
    )


@pytest.fixture
def result(question: Question, plan: Plan) -> SearchResult:
    return SearchResult(
        job=question.job,
        plans=(plan,),
        certificate=Certificate(
            searcher="exhaustive", objective="time", legal=1040, fit=628, evaluated=1040,
            proven=True,
        ),
        infeasible={"memory": 412},
        advice=("412 of 1,040 do not fit: raise pp",),
        nearest=None,
        elapsed_s=0.25,
    )  # fmt: skip


@pytest.fixture
def nothing(question: Question, miss: Plan) -> SearchResult:
    return SearchResult(
        job=question.job,
        plans=(),
        certificate=Certificate(
            searcher="exhaustive", objective="time", legal=3, fit=0, evaluated=3, proven=True
        ),
        infeasible={"memory": 3},
        advice=("the nearest misses by 4.0 GiB: raise pp",),
        nearest=miss,
        elapsed_s=0.25,
    )
