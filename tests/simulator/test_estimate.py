"""Whole estimates: tables and their rows, sums and their terms, one axis at a time."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.simulator.estimate import estimate, estimate_table
from plan3d.simulator.layout import Layout, LayoutTable, Recompute
from plan3d.simulator.result import EstimateTable, LinkTime, Memory, StepTime
from plan3d.simulator.software import Software
from plan3d.simulator.workload import PRECISIONS, GradientSync, Workload
from tests.simulator.jobs import (
    BUSY,
    DGX,
    EXPERT_ROWS,
    GPT,
    H100,
    KEEPING,
    LLAMA,
    MIXTURE,
    MODELS,
    PLAIN,
    ROWS,
    WORK,
)
from tests.simulator.strategies import few, layouts, models, run, softwares

JOBS = [(name, software) for name in MODELS for software in (PLAIN, BUSY, KEEPING)]
jobs = pytest.mark.parametrize(
    ("name", "software"), JOBS, ids=[f"{name}-{software.name}" for name, software in JOBS]
)


def test_tables_have_the_fields_of_their_rows() -> None:
    table = estimate_table(GPT, WORK, DGX, PLAIN, LayoutTable.of(ROWS))
    assert set(table.time) == set(EstimateTable.TIME) == {f.name for f in fields(StepTime)}
    assert set(table.link) == set(EstimateTable.LINK) == {f.name for f in fields(LinkTime)}
    assert set(table.memory) == set(table.first_stage) == {f.name for f in fields(Memory)}


@jobs
def test_a_table_is_its_rows(name: str, software: Software) -> None:
    """To the last bit."""
    rows = [*ROWS, *EXPERT_ROWS] if MODELS[name].experts else list(ROWS)
    table = estimate_table(MODELS[name], WORK, DGX, software, LayoutTable.of(rows))
    assert [table.row(i) for i in range(len(rows))] == [run(r, name, software) for r in rows]


def test_a_table_may_have_jobs_of_one_node_and_of_more() -> None:
    """A slow host issues collectives slowly in the latter alone."""
    slow = replace(PLAIN, dispatch_s=1.0, issue_s=0.5)
    rows = [Layout(tp=2), Layout(tp=2, dp=8), Layout(tp=2, pp=4), Layout(tp=2, pp=4, dp=2)]
    for order in (rows, rows[::-1]):
        table = estimate_table(GPT, WORK, DGX, slow, LayoutTable.of(order))
        for i, row in enumerate(order):
            assert table.row(i) == estimate(GPT, WORK, DGX, slow, row)


@given(rows=st.lists(layouts(), min_size=1, max_size=20), name=models, software=softwares)
@few
def test_any_table_is_its_rows(rows: list[Layout], name: str, software: Software) -> None:
    table = estimate_table(MODELS[name], WORK, DGX, software, LayoutTable.of(rows))
    assert [table.row(i) for i in range(len(rows))] == [run(r, name, software) for r in rows]


@given(rows=st.lists(layouts(), min_size=2, max_size=30), data=st.data())
@few
def test_the_order_of_rows_does_not_matter(rows: list[Layout], data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(rows)))))
    table = LayoutTable.of(rows)
    before = estimate_table(MIXTURE, WORK, DGX, BUSY, table)
    after = estimate_table(MIXTURE, WORK, DGX, BUSY, table.take(order))
    assert np.array_equal(before.step_time_s[order], after.step_time_s)
    assert np.array_equal(before.memory_bytes[order], after.memory_bytes)


def test_a_long_table_is_its_parts() -> None:
    rows = LayoutTable.of([*ROWS] * 300)
    whole = estimate_table(GPT, WORK, DGX, BUSY, rows)
    part = estimate_table(GPT, WORK, DGX, BUSY, rows.take(slice(1000, 1500)))
    assert np.array_equal(whole.step_time_s[1000:1500], part.step_time_s)


def test_no_rows() -> None:
    nothing = LayoutTable.of(ROWS).take(slice(0, 0))
    found = estimate_table(MIXTURE, WORK, DGX, BUSY, nothing)
    assert len(found) == len(found.step_time_s) == len(found.fits) == 0


@given(layout=layouts(), name=models, software=softwares)
@few
def test_terms_add_up_and_none_is_negative(layout: Layout, name: str, software: Software) -> None:
    found = run(layout, name, software)
    for part, total in (
        (found.time, found.step_time_s), (found.memory, found.memory_bytes),
        (found.link, None), (found.first_stage, None),
    ):  # fmt: skip
        terms = [getattr(part, f.name) for f in fields(part)]
        assert np.isfinite(terms).all()
        # Idle time is a difference of sums: the last bit of a sum of seconds.
        assert min(terms) >= -1e-12
        assert total is None or total == pytest.approx(sum(terms))
    assert found.first_stage.total_bytes <= found.memory_bytes
    assert 0 < found.mfu <= found.hfu


@given(layout=layouts(), name=models, software=softwares)
@few
def test_the_hardware_does_at_least_the_work_of_the_model(
    layout: Layout, name: str, software: Software
) -> None:
    found = run(layout, name, software)
    assert found.hardware_flop >= found.model_flop
    if layout.recompute == Recompute.NONE:
        assert found.hardware_flop == found.model_flop


def test_full_recompute_is_a_third_forward() -> None:
    """The blocks' forward again, not the logits': 4/3 of what they need, by hand."""
    flop = 6 * WORK.tokens * 12 * (12 * 512**2 + 2 * 512 * 1024)
    head = 6 * WORK.tokens * 512 * 1000
    found = run(Layout(recompute=Recompute.FULL), software=PLAIN)
    assert found.model_flop == pytest.approx(flop + head)
    assert found.hardware_flop == pytest.approx(flop * 4 / 3 + head)


def test_selective_recompute_repeats_the_attention_core() -> None:
    core = 2 * WORK.tokens * 12 * 2 * 512 * 1024
    found = run(Layout(recompute=Recompute.SELECTIVE), software=PLAIN)
    assert found.hardware_flop - found.model_flop == pytest.approx(core)


def test_recompute_never_does_more_than_a_forward_pass_again() -> None:
    windowed = replace(LLAMA, window=1024)
    work = Workload(seq=32768, global_batch=4)
    found = estimate(windowed, work, DGX, PLAIN, Layout(recompute=Recompute.SELECTIVE))
    assert found.hardware_flop <= 4 / 3 * found.model_flop


@jobs
def test_one_gpu_communicates_with_nobody(name: str, software: Software) -> None:
    found = run(Layout(), name, software)
    assert [getattr(found.link, f.name) for f in fields(LinkTime)] == [0] * 5
    assert found.time.bubble_s == found.time.offload_s == 0


def test_offload_trades_memory_for_the_host_link() -> None:
    layout = Layout(dp=4, zero=1, shard=4)
    stays, leaves = run(layout), run(replace(layout, offload=1.0))
    assert leaves.memory.optimizer_bytes == 0 < stays.memory.optimizer_bytes
    assert leaves.time.offload_s > 0 == stays.time.offload_s


def test_nearly_equal_shares_are_two_rows() -> None:
    rows = [Layout(dp=4, zero=1, shard=4, offload=share) for share in (0.3, 0.3001)]
    table = estimate_table(GPT, WORK, DGX, PLAIN, LayoutTable.of(rows))
    assert [table.row(i) for i in range(2)] == [run(row, software=PLAIN) for row in rows]


def test_rarer_synchronisation_is_cheaper() -> None:
    layout = Layout(dp=64)
    often, rarely = (run(layout, work=replace(WORK, sync=GradientSync(every=n))) for n in (1, 8))
    assert rarely.link.dp_link_s == pytest.approx(often.link.dp_link_s / 8)


@pytest.mark.parametrize("name", ["fp8", "tf32", "fp32"])
def test_other_precisions(name: str) -> None:
    """On an H100 8 bits are quicker than 16, 32 slower: by the work that runs at their peak."""
    cluster = replace(DGX, gpu=replace(H100, gemm=replace(H100.gemm, fp8_efficiency=0.8)))
    big = replace(LLAMA, hidden=8192, heads=64, kv_heads=64, head_dim=128, ffn=28672)
    step_s = {
        p: estimate(
            big, Workload(seq=4096, global_batch=4, precision=PRECISIONS[p]), cluster, PLAIN,
            Layout(tp=8),
        ).time.matmul_s
        for p in ("bf16", name)
    }  # fmt: skip
    expected = {"fp8": 1 / 2, "tf32": 2.0, "fp32": 990 / 67}[name]
    assert step_s[name] / step_s["bf16"] == pytest.approx(expected, rel=0.05)


def test_full_recompute_may_leave_out_the_last_product() -> None:
    """Of each of GPT's blocks: 2 * 2,048 * 512 FLOP per token."""
    layout = Layout(recompute=Recompute.FULL)
    whole, early = (
        estimate(GPT, WORK, DGX, replace(PLAIN, stops_early=stops), layout)
        for stops in (False, True)
    )
    last = 2 * 2048 * 512 * GPT.layers * WORK.tokens
    assert whole.hardware_flop - early.hardware_flop == pytest.approx(last)
    assert early.step_time_s < whole.step_time_s
