from dataclasses import replace

import numpy as np
import pytest

from plan3d.planner import frameworks, inner
from plan3d.planner.constraints import parse_fix
from plan3d.planner.exhaustive import search
from plan3d.planner.inner import _outer, search_inner
from plan3d.planner.partition.compare import compare
from plan3d.planner.partition.from_job import partition_problem
from plan3d.simulator.errors import InputError, NothingFeasibleError
from plan3d.simulator.estimate import estimate
from plan3d.simulator.layout import Layout, Recompute
from tests.planner.jobs import cluster, job, model

SPEC = replace(model(layers=6, heads=4, hidden=1024, ffn=4096), vocab=4096)
JOB = job(4, SPEC, seq=1024, batch=8, cluster=cluster(4, memory_gib=3))
TP1 = (parse_fix("tp=1"), parse_fix("vpp=1"))


def every_answer() -> list[tuple[float, float]]:
    """Bound and best step of every outer layout, where anything fits."""
    runs = frameworks.named("megatron")
    table, bound = _outer(JOB, runs, TP1)
    found = []
    for i in range(len(table)):
        try:
            best = compare(partition_problem(JOB, table.row(i)), runs).best
        except NothingFeasibleError:
            continue
        found.append((float(bound[i]), best.assignment.step_time_s))
    return found


def test_no_partition_beats_its_bound() -> None:
    answers = every_answer()
    assert len(answers) > 10
    assert all(low <= step * (1 + 1e-9) for low, step in answers)


def test_the_answer_is_that_of_solving_every_layout() -> None:
    result = search_inner(JOB, constraints=TP1)
    assert result.step_time_s == pytest.approx(min(step for _, step in every_answer()))
    assert result.proven
    assert result.solved <= result.outer
    assert "optimal over" in str(result)


def test_exact_stages_are_no_slower_than_the_search_without_them() -> None:
    plain = search(JOB, constraints=TP1, player=lambda _, estimates: estimates)
    layouts = [plan.layout for plan in plain.plans]
    exact = search_inner(JOB, constraints=TP1, first=layouts)
    assert exact.step_time_s <= plain.plans[0].estimate.step_time_s * (1 + 1e-9)


def test_an_early_end_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inner, "MOST", 1)
    result = search_inner(JOB, constraints=TP1)
    assert result.bound_s <= search_inner(JOB, constraints=TP1).bound_s + 1e-12
    if not result.proven:
        assert "from the optimum" in str(result)


def test_the_ilp_agrees() -> None:
    by_dp = search_inner(JOB, constraints=TP1)
    by_ilp = search_inner(JOB, constraints=TP1, searcher="ilp")
    assert by_ilp.step_time_s == pytest.approx(by_dp.step_time_s)


def test_nothing_fits() -> None:
    tiny = replace(JOB, cluster=cluster(4, memory_gib=0.01))
    with pytest.raises(NothingFeasibleError, match="no layout has stages that fit"):
        search_inner(tiny)


def test_an_unknown_searcher() -> None:
    with pytest.raises(InputError, match="no searcher 'oracle'"):
        search_inner(JOB, searcher="oracle")


def test_what_may_fit_is_not_too_strict() -> None:
    """Everything that fits in an even split is among the outer layouts."""
    table, _ = _outer(JOB, frameworks.named("megatron"), ())
    kept = {
        (r.tp, r.pp, r.dp, r.vpp, r.micro_batch, r.zero) for r in map(table.row, range(len(table)))
    }
    for plan in search(JOB, top=50).plans:
        one = plan.layout
        assert (one.tp, one.pp, one.dp, one.vpp, one.micro_batch, one.zero) in kept
    assert np.all(table.recompute == 0)


def test_gradients_that_come_when_activations_go_may_fit() -> None:
    """A step of one micro-batch never holds both, but for what the margin adds."""
    layout = Layout(dp=4, shard=1, recompute=Recompute.FULL)
    frees = replace(JOB.software, frees_gradients=True, memory_margin=0.001)
    small = replace(SPEC, vocab=128, max_positions=0)
    asked = replace(job(4, small, seq=4096, batch=4), software=frees)
    full = replace(asked.cluster, gpu=replace(asked.cluster.gpu, memory_bytes=1.0))
    need = estimate(asked.model, asked.work, full, frees, layout).memory_bytes
    tight = replace(full, gpu=replace(full.gpu, memory_bytes=need))
    assert estimate(asked.model, asked.work, tight, frees, layout).fits
    table, _ = _outer(replace(asked, cluster=tight), frameworks.named("megatron"), TP1)
    kept = [(row.dp, row.zero) for row in map(table.row, range(len(table)))]
    assert (4, 0) in kept


def test_a_queue_that_is_cut_short_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every layout that was looked at is solved, but there are others with a lower bound."""
    monkeypatch.setattr(inner, "MOST", 2)
    result = search_inner(JOB, constraints=TP1)
    table, bound = _outer(JOB, frameworks.named("megatron"), TP1)
    assert len(table) > 2
    assert result.bound_s <= max(np.sort(bound)[2], result.step_time_s)
    monkeypatch.undo()
    if result.step_time_s > search_inner(JOB, constraints=TP1).step_time_s * (1 + 1e-9):
        assert not result.proven


def test_recomputation_is_not_fixed_from_outside() -> None:
    with pytest.raises(InputError, match="leave recompute out"):
        search_inner(JOB, constraints=(parse_fix("recompute=full"),))


def test_progress_counts_the_layouts_that_are_solved() -> None:
    told: list[tuple[int, int]] = []
    found = search_inner(JOB, constraints=TP1, progress=lambda *part: told.append(part))
    assert [done for done, _ in told] == list(range(found.solved))
    assert all(done < total for done, total in told)
