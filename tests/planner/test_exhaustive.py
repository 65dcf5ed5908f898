"""The search against a cost model whose answers are known."""

from collections.abc import Callable

import numpy as np
import pytest

from plan3d.planner.constraints import parse_fix
from plan3d.planner.evaluator import evaluator_of
from plan3d.planner.exhaustive import search
from plan3d.planner.grouping import NEAR
from plan3d.planner.result import Job
from plan3d.planner.space import space
from plan3d.simulator.errors import InputError
from plan3d.simulator.estimate import estimate
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Floats
from plan3d.simulator.result import EstimateTable
from tests.planner.jobs import GIB, cluster, job, model

Column = Callable[[LayoutTable], Floats]
CAPACITY_BYTES = 10 * GIB


class Fake:
    """A cost model: a time and a memory of one term each, and a record of what it was asked."""

    def __init__(self, time_s: Column, memory_gib: Column) -> None:
        self.time_s, self.memory_gib = time_s, memory_gib
        self.asked = 0

    def __call__(self, table: LayoutTable, /) -> EstimateTable:
        self.asked += len(table)
        zeros = np.zeros(len(table))
        time = dict.fromkeys(EstimateTable.TIME, zeros)
        memory = dict.fromkeys(EstimateTable.MEMORY, zeros)
        return EstimateTable(
            time=time | {"matmul_s": zeros + 1, "bubble_s": self.time_s(table) - 1},
            link=dict.fromkeys(EstimateTable.LINK, zeros),
            memory=memory | {"activations_bytes": self.memory_gib(table) * GIB},
            stage=zeros,
            first_stage=memory,
            hardware_flop=zeros + 1,
            gpus=table.tp * table.pp * table.dp * table.cp,
            model_flop=1.0,
            capacity_bytes=CAPACITY_BYTES,
            peak_flop_per_s=1.0,
            tokens=1.0,
        )


JOB = job(8, model(layers=8, heads=8), batch=8, cluster=cluster(8))


def test_the_best_of_all_that_fit() -> None:
    """Fewer stages are faster, but only 4 or more fit: pp=4 it is, and 7.5 GiB more for pp=2."""
    fake = Fake(lambda t: t.pp + t.micro_batch / 8, lambda t: 35 / t.pp)
    result = search(JOB, evaluator=fake, top=3)
    best = result.plans[0]
    assert best.layout.pp == 4
    assert best.estimate.step_time_s == pytest.approx(4.125)
    assert [plan.rank for plan in result.plans] == [1, 2, 3]
    assert best.behind == 0
    assert result.plans[-1].behind >= result.plans[1].behind >= 0
    assert result.certificate.fit + result.infeasible["memory"] == result.certificate.legal
    assert result.nearest is None
    assert "of those that would be better, the nearest misses by 7.5 GiB" in result.advice[0]


def test_the_certificate_counts_every_legal_layout() -> None:
    fake = Fake(lambda t: t.pp, lambda t: t.pp)
    result = search(JOB, framework="any", evaluator=fake)
    legal = sum(len(table) for table in space(JOB).chunks())
    assert result.certificate.legal == result.certificate.evaluated == legal
    assert result.certificate.proven
    assert fake.asked == legal + len(result.plans)
    assert result.advice == ()


def test_plans_differ_in_the_primary_axes() -> None:
    """Nothing but the primary axes costs time: each plan stands for all its variants."""
    result = search(JOB, evaluator=Fake(lambda t: t.pp + t.tp / 10 + t.dp, lambda t: t.pp), top=50)
    keys = {(p.layout.tp, p.layout.pp, p.layout.cp, p.layout.dp, p.layout.vpp,
             p.layout.micro_batch) for p in result.plans}  # fmt: skip
    assert len(keys) == len(result.plans)
    assert result.plans[0].variants > 10
    assert all(plan.layout.zero == 0 for plan in result.plans)


def test_a_reason_names_what_differs() -> None:
    result = search(JOB, evaluator=Fake(lambda t: 1.0 + t.pp, lambda t: t.pp), top=200)
    assert result.plans[0].reason == "best: 50% matrix products, 50% pipeline bubble"
    slower = next(plan for plan in result.plans if plan.behind > 0.1)
    assert slower.reason == "+50.0%: +50.0% pipeline bubble"
    assert slower.behind == pytest.approx(0.5)


def test_the_simplest_of_the_best_says_how_far_it_is() -> None:
    def time_s(t: LayoutTable) -> Floats:
        return 2 * t.pp * (1 + 0.001 * (3 - t.zero))

    result = search(JOB, evaluator=Fake(time_s, lambda t: t.pp))
    assert result.plans[0].layout.zero == 0
    assert result.plans[0].behind == result.certificate.gap == pytest.approx(0.003)
    assert "the plan shown is within 0.3% of it" in str(result.certificate)


@pytest.mark.parametrize("objective", ["cost", "tokens-per-dollar"])
def test_at_a_fixed_number_of_gpus_the_fastest_is_the_cheapest(objective: str) -> None:
    fake = Fake(lambda t: t.pp + t.tp / 8, lambda t: t.pp)
    assert [p.layout for p in search(JOB, evaluator=fake, objective=objective).plans] == [
        p.layout for p in search(JOB, evaluator=fake).plans
    ]


def test_least_memory() -> None:
    result = search(JOB, evaluator=Fake(lambda t: t.pp, lambda t: 9 / t.tp), objective="memory")
    assert result.plans[0].layout.tp == 8
    assert result.plans[0].reason == "best: 100% activations"


def test_the_front_of_time_and_memory() -> None:
    """More stages are slower and smaller; of tp only 1 matters: one layout for each pp."""
    fake = Fake(lambda t: t.pp * t.tp, lambda t: 8 / t.pp)
    result = search(JOB, evaluator=fake, objective="pareto")
    assert [(p.layout.pp, p.layout.tp) for p in result.plans] == [(1, 1), (2, 1), (4, 1), (8, 1)]
    assert result.plans[1].reason == "4.0 GiB less for 100.0% more time"
    assert len(search(JOB, evaluator=fake, objective="pareto", top=2).plans) == 2


def test_nothing_fits() -> None:
    """13 GiB at tp=8 on one GPU of 10: halved by offload, or by twice the GPUs."""

    def memory_gib(t: LayoutTable) -> Floats:
        return (105 / t.tp) * (1 - 0.5 * t.offload) * 8 / (t.tp * t.dp * t.pp * t.cp)

    result = search(JOB, evaluator=Fake(lambda t: t.pp, memory_gib))
    assert result.plans == ()
    assert result.nearest is not None
    assert result.nearest.layout.tp == 8
    assert result.nearest.reason == "misses the memory by 3.1 GiB"
    assert result.certificate.fit == 0
    assert result.advice[0].startswith(f"{result.certificate.legal:,} of")
    assert "the nearest misses by 3.1 GiB" in result.advice[0]
    assert "it fits on 16 GPUs" in result.advice


def test_offload_and_fewer_constraints_are_tried() -> None:
    def memory_gib(t: LayoutTable) -> Floats:
        return 9 + 4 * (1 - t.offload) * (t.tp == 1)

    fixed = (parse_fix("tp=1"), parse_fix("recompute=none"))
    result = search(JOB, evaluator=Fake(lambda t: t.pp, memory_gib), constraints=fixed)
    assert "it fits with the optimizer states in host memory: fix offload=1" in result.advice
    assert "it fits without tp=1, recompute=none" in result.advice


def test_a_model_that_fits_nowhere() -> None:
    result = search(JOB, evaluator=Fake(lambda t: t.pp, lambda t: 20 + 0 * t.pp))
    assert result.advice[-1].startswith("it fits on no multiple of these GPUs up to 131,072")


def test_a_prime_number_of_gpus() -> None:
    """1021 divides neither layers, heads, sequence nor batch; 1024 is 8 * 128 or 1024 * 1."""
    result = search(job(1021, model(layers=96, heads=96), seq=2048, batch=1536))
    assert result.plans == ()
    assert result.certificate.legal == 0
    assert result.infeasible == {"node": 1, "few_layers": 1, "sequence": 1, "batch": 1}
    text = "\n".join(result.advice)
    assert "1,024 GPUs would have layouts" in text
    assert "a global batch of 1,021 or 2,042 would have layouts on 1,021 GPUs" in text


def test_the_largest_number_of_gpus_is_not_passed_by_advice() -> None:
    """10^6 = 2^6 5^6: no batch of 16 and no 8 layers divide by 5."""
    result = search(job(10**6))
    assert result.certificate.legal == 0
    assert not any("GPUs would have" in line for line in result.advice)


def test_a_remedy_is_one_that_the_framework_has() -> None:
    fake = Fake(lambda t: t.pp, lambda t: 20 + 0 * t.pp)
    assert "zero=" not in search(JOB, evaluator=fake, framework="nanotron").advice[0]
    assert "recompute=selective" not in search(JOB, evaluator=fake, framework="nanotron").advice[0]


def test_a_constraint_that_leaves_nothing() -> None:
    result = search(JOB, constraints=(parse_fix("tp=7"),))
    assert result.advice == ("tp=7 leaves no layout; there are tp=1, tp=2, tp=4, tp=8",)


@pytest.mark.parametrize("top", [0, -1, 10**6])
def test_an_absurd_number_of_plans(top: int) -> None:
    with pytest.raises(InputError, match="top is"):
        search(JOB, top=top)


def by_hand(question: Job) -> tuple[float, int, int]:
    """Return the least time, and how many layouts there are and fit, one layout at a time."""
    found = [
        estimate(question.model, question.work, question.cluster, question.software, table.row(i))
        for table in space(question).chunks()
        for i in range(len(table))
    ]
    fit = [one.step_time_s for one in found if one.fits]
    return min(fit), len(found), len(fit)


def test_the_cost_model_itself_is_the_default() -> None:
    """The figure of the best plan is that of the best single estimate, but for near-ties."""
    small = model(layers=2, heads=2, hidden=2048, ffn=8192)
    question = job(4, small, seq=2048, batch=4, cluster=cluster(2, memory_gib=3))
    least_s, legal, fit = by_hand(question)
    result = search(question, framework="any", evaluator=evaluator_of(question))
    assert (result.certificate.legal, result.certificate.fit) == (legal, fit)
    assert 0 < fit < legal
    best = result.plans[0]
    assert least_s <= best.estimate.step_time_s <= least_s * (1 + NEAR)
    assert best.behind == pytest.approx(best.estimate.step_time_s / least_s - 1)
    assert result.certificate.gap == best.behind


def test_the_same_question_has_the_same_answer() -> None:
    first, second = search(JOB), search(JOB)
    assert first.plans == second.plans
    assert evaluator_of(JOB)(LayoutTable.of([first.plans[0].layout])).row(0) == (
        first.plans[0].estimate
    )


def test_progress_is_told_from_the_first_part_to_the_last() -> None:
    told: list[tuple[int, int]] = []
    found = search(job(16), progress=lambda done, total: told.append((done, total)))
    assert found.plans
    done, totals = zip(*told, strict=True)
    assert list(done) == sorted(done)
    assert set(totals) == {done[-1]}
