from dataclasses import fields, replace

import numpy as np
import pytest

from plan3d.simulator.result import Estimate, EstimateTable, LinkTime, Memory, Peak, StepTime

TIME = StepTime(**{f.name: float(2**i) for i, f in enumerate(fields(StepTime))})
LINK = LinkTime(**{f.name: 1.0 for f in fields(LinkTime)})
MEMORY = Memory(**{f.name: float(2**i) for i, f in enumerate(fields(Memory))})
ESTIMATE = Estimate(
    time=TIME, link=LINK, memory=MEMORY, stage=3, first_stage=MEMORY,
    model_flop=32767.0 * 8 * 3, hardware_flop=32767.0 * 8 * 4, capacity_bytes=512.0,
    gpus=8, peak_flop_per_s=6.0, tokens=32767.0 * 16,
)  # fmt: skip
"""15 terms of time sum to 2**15 - 1 s, and 9 of memory to 511 bytes: none may be left out."""


def test_totals_are_the_sums_of_all_terms() -> None:
    assert ESTIMATE.step_time_s == 2 ** len(fields(StepTime)) - 1 == 32767
    assert ESTIMATE.memory_bytes == 2 ** len(fields(Memory)) - 1 == 511


def test_utilisation_and_throughput_by_hand() -> None:
    """24 or 32 FLOP per second of eight GPUs of 6 FLOP/s each."""
    assert ESTIMATE.mfu == pytest.approx(0.5)
    assert ESTIMATE.hfu == pytest.approx(2 / 3)
    assert ESTIMATE.tokens_per_s_per_gpu == 2


def test_the_place_of_the_peak() -> None:
    """Of 511 bytes the margin is 256: more than half. Without it, the context's 128 of 255 are."""
    assert ESTIMATE.peak == Peak(stage=3, phase=Peak.LOSS, terms=("margin_bytes",))
    tight = replace(ESTIMATE, memory=replace(MEMORY, margin_bytes=0.0))
    assert tight.peak.terms == ("context_bytes",)
    early = replace(ESTIMATE, memory=replace(MEMORY, margin_bytes=100.0, logits_bytes=0.0))
    assert early.peak.phase == Peak.BLOCK
    # 100 of the margin and 128 of the context are more than half of 339.
    assert early.peak.terms == ("context_bytes", "margin_bytes")


@pytest.mark.parametrize(("capacity", "fits"), [(512.0, True), (511.0, True), (510.0, False)])
def test_fits(capacity: float, fits: bool) -> None:
    assert replace(ESTIMATE, capacity_bytes=capacity).fits is fits


def as_table(estimates: list[Estimate]) -> EstimateTable:
    def columns(part: str, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        return {k: np.array([getattr(getattr(e, part), k) for e in estimates]) for k in names}

    return EstimateTable(
        time=columns("time", EstimateTable.TIME),
        link=columns("link", EstimateTable.LINK),
        memory=columns("memory", EstimateTable.MEMORY),
        first_stage=columns("first_stage", EstimateTable.MEMORY),
        stage=np.array([float(e.stage) for e in estimates]),
        hardware_flop=np.array([e.hardware_flop for e in estimates]),
        gpus=np.array([float(e.gpus) for e in estimates]),
        model_flop=ESTIMATE.model_flop, capacity_bytes=512.0, peak_flop_per_s=6.0,
        tokens=ESTIMATE.tokens,
    )  # fmt: skip


def test_a_table_is_its_rows() -> None:
    large = replace(ESTIMATE, memory=replace(MEMORY, logits_bytes=1e3), stage=0, gpus=16)
    table = as_table([ESTIMATE, large])
    assert len(table) == 2
    assert [table.row(0), table.row(1)] == [ESTIMATE, large]
    assert table.step_time_s.tolist() == [ESTIMATE.step_time_s, large.step_time_s]
    assert table.memory_bytes.tolist() == [ESTIMATE.memory_bytes, large.memory_bytes]
    assert table.fits.tolist() == [True, False]
