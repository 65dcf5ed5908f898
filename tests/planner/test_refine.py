from dataclasses import replace

import numpy as np
import pytest

from plan3d.planner import refine
from plan3d.planner.evaluator import evaluator_of
from plan3d.planner.exhaustive import search
from plan3d.planner.refine import PIPELINE, pipeline_s, replayed
from plan3d.simulator.layout import Layout, LayoutTable, Schedule
from tests.planner.jobs import cluster, job, model

BIG = replace(model(layers=16, heads=8, hidden=2048, ffn=8192), vocab=64)
JOB = job(8, BIG, seq=1024, batch=128, cluster=cluster(8))

LAYOUTS = [
    Layout(pp=4, dp=2, schedule=Schedule.GPIPE),
    Layout(pp=4, dp=2),
    Layout(pp=4, dp=2, micro_batch=2),
    Layout(pp=4, dp=2, vpp=2, schedule=Schedule.INTERLEAVED),
    Layout(pp=4, dp=2, vpp=2, schedule=Schedule.LOOPED_BFS),
    Layout(pp=4, dp=2, schedule=Schedule.ZB_H1),
    Layout(pp=8, schedule=Schedule.ZB_H2),
    Layout(pp=4, dp=2, vpp=2, schedule=Schedule.ZB_V),
    Layout(pp=4, dp=2, schedule=Schedule.DUALPIPE),
    Layout(pp=4, dp=2, vpp=2, schedule=Schedule.DUALPIPE_V),
]
TABLE = LayoutTable.of(LAYOUTS)


def test_closed_form_and_played_pipeline_are_near() -> None:
    """A small vocabulary: stages are all but equal, so the forms of docs/schedules.md hold."""
    closed = evaluator_of(JOB)(TABLE)
    whole = np.sum([closed.time[k] for k in PIPELINE], axis=0)
    assert pipeline_s(JOB, TABLE) == pytest.approx(whole, rel=0.08)


def test_many_micro_batches_are_played_as_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 micro-batches on 4 stages: the shortcut plays 24 and 28 of them, the oracle all."""
    short = pipeline_s(JOB, TABLE)
    monkeypatch.setattr(refine, "LONGEST", 10**6)
    assert short == pytest.approx(pipeline_s(JOB, TABLE), rel=1e-6)


def test_a_table_is_its_rows() -> None:
    rows = [pipeline_s(JOB, LayoutTable.of([layout]))[0] for layout in LAYOUTS]
    assert pipeline_s(JOB, TABLE).tolist() == rows


def test_replayed_estimates_add_up() -> None:
    table = LayoutTable.of([Layout(dp=8), *LAYOUTS])
    closed = evaluator_of(JOB)(table)
    played = replayed(JOB, table, closed)
    assert played.step_time_s[0] == closed.step_time_s[0]  # one stage: nothing to play
    parts = np.sum([played.time[k] for k in PIPELINE], axis=0)
    assert parts[1:] == pytest.approx(pipeline_s(JOB, TABLE))
    assert np.all(played.time["bubble_s"] >= 0)


def test_nothing_to_play() -> None:
    table = LayoutTable.of([Layout(dp=8)])
    closed = evaluator_of(JOB)(table)
    assert replayed(JOB, table, closed) is closed


def test_the_search_ranks_by_what_was_played() -> None:
    result = search(JOB, framework="any", top=8)
    times = [plan.estimate.step_time_s for plan in result.plans]
    assert times == sorted(times)
    assert result.certificate.played >= len(result.plans)
    for plan in result.plans:
        table = LayoutTable.of([plan.layout])
        again = replayed(JOB, table, evaluator_of(JOB)(table))
        assert again.step_time_s[0] == pytest.approx(plan.estimate.step_time_s)
        assert plan.played is not None


def test_without_a_player_nothing_is_played() -> None:
    result = search(JOB, evaluator=evaluator_of(JOB))
    assert result.certificate.played == 0
    assert all(plan.played is None for plan in result.plans)


def test_the_seq_matters() -> None:
    """Twice the sequence is at least twice the work of a pipeline."""
    longer = replace(JOB, work=replace(JOB.work, seq=2048))
    assert np.all(pipeline_s(longer, TABLE) > 1.8 * pipeline_s(JOB, TABLE))
