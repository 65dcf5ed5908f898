import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.simulator.goodput import (
    checkpoint_bytes,
    checkpoint_s,
    daly_interval_s,
    failures,
    goodput_fraction,
    job_mtbf_s,
    lost_gpu_s,
    young_interval_s,
)

HOUR_S, DAY_S = 3600.0, 86400.0


def test_a_thousand_nodes_fail_a_thousand_times_as_often() -> None:
    assert job_mtbf_s(1000 * DAY_S, 1000) == DAY_S


def test_a_checkpoint_of_gpt3() -> None:
    """175e9 x 12 bytes are 2.1 TB: 21 s at 100 GB/s."""
    assert checkpoint_s(checkpoint_bytes(175e9), 100e9) == pytest.approx(21)


def test_young_by_hand() -> None:
    assert young_interval_s(2.0, 100.0) == 20


def test_daly_by_hand() -> None:
    """delta/2M = 1/100: 20 x (1 + 1/30 + 1/900) - 2."""
    assert daly_interval_s(2.0, 100.0) == pytest.approx(20 * (1 + 1 / 30 + 1 / 900) - 2)


def test_daly_when_a_checkpoint_takes_longer_than_the_failures() -> None:
    assert daly_interval_s(200.0, 100.0) == 100


def test_daly_tends_to_young() -> None:
    assert daly_interval_s(1e-6, 1e6) == pytest.approx(young_interval_s(1e-6, 1e6), rel=1e-5)


@given(write=st.floats(1, 600), mtbf=st.floats(2, 500))
def test_dalys_interval_is_nearly_the_best(write: float, mtbf: float) -> None:
    """The oracle is a scan of the complete form."""
    mtbf_s = mtbf * HOUR_S
    scan = np.geomspace(10, 100 * HOUR_S, 4000)
    best = float(np.max(goodput_fraction(scan, write, 300.0, mtbf_s)))
    chosen = goodput_fraction(daly_interval_s(write, mtbf_s), write, 300.0, mtbf_s)
    assert best * (1 - 1e-3) <= chosen <= best * (1 + 1e-6)


def test_without_failures_only_checkpoints_are_lost() -> None:
    assert goodput_fraction(90.0, 10.0, 1e3, 1e12) == pytest.approx(0.9, rel=1e-6)


def test_a_simulated_run_agrees() -> None:
    """Play segments with exponential failures; failures strike restarts too."""
    interval, write, restart, mtbf = 3000.0, 120.0, 600.0, 10_000.0
    generator = np.random.default_rng(1)
    clock, done, segments = 0.0, 0, 20_000
    while done < segments:
        need = interval + write
        life = generator.exponential(mtbf)
        while life < need:  # a failure: start again, with a restart before the work
            clock += life
            need = restart + interval + write
            life = generator.exponential(mtbf)
        clock += need
        done += 1
    expected = goodput_fraction(interval, write, restart, mtbf)
    assert segments * interval / clock == pytest.approx(float(expected), rel=0.02)


def test_a_hopeless_job_does_not_overflow() -> None:
    assert goodput_fraction(1e9, 1.0, 1.0, 1.0) == 0


def test_opt_175b() -> None:
    """175+ restarts in two months: one in about 8 hours, a few per cent to a third of the time."""
    mtbf_s = 60 * DAY_S / 175
    assert mtbf_s == pytest.approx(8.2 * HOUR_S, rel=0.01)
    assert failures(60 * DAY_S, mtbf_s) == pytest.approx(175)
    interval_s = daly_interval_s(120.0, mtbf_s)
    share = float(goodput_fraction(interval_s, 120.0, 1800.0, mtbf_s))
    assert 0.67 < share < 0.97


def test_tens_of_thousands_of_gpu_hours_are_lost() -> None:
    """Another run lost 41,700 GPU hours. 1,024 GPUs for two months, at OPT's failure rate."""
    mtbf_s = 60 * DAY_S / 175
    for restart_s in (300.0, 4 * HOUR_S):
        share = goodput_fraction(daly_interval_s(120.0, mtbf_s), 120.0, restart_s, mtbf_s)
        hours = lost_gpu_s(60 * DAY_S, 1024, share) / HOUR_S
        assert 41_700 / 3 < hours < 41_700 * 20


def test_a_column_of_jobs() -> None:
    mtbf_s = job_mtbf_s(1000 * DAY_S, np.array([10.0, 100.0, 1000.0]))
    share = goodput_fraction(daly_interval_s(60.0, mtbf_s), 60.0, 600.0, mtbf_s)
    assert np.all(np.diff(share) < 0)
