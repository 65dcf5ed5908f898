from dataclasses import replace

import pytest

from plan3d.simulator.economics import KWH_J
from plan3d.simulator.errors import InputError
from plan3d.simulator.footprint import Site
from plan3d.simulator.parameters import active_params
from plan3d.simulator.reliability import DAY_S, Reliability
from plan3d.simulator.whole_run import one_line, whole_run
from tests.simulator.jobs import DGX, GPT, WORK
from tests.simulator.test_economics import ESTIMATE

ROUND = replace(DGX, gpu=replace(DGX.gpu, power_w=500.0, usd_per_s=2 / 3600))
RARE = Reliability(gpu_mtbf_s=float("inf"), node_mtbf_s=1e15)


def test_by_hand() -> None:
    """864e6 tokens are 864 steps of 10 s: 2.4 h on 100 GPUs at 2 USD and 0.5 kW."""
    site = Site(host_share=0.5, pue=1.2, co2_kg_per_j=0.5 / KWH_J, usd_per_j=0.1 / KWH_J)
    found = whole_run(GPT, WORK, ROUND, ESTIMATE, 864e6, parts=RARE, site=site)
    assert found.ideal.gpu_hours == pytest.approx(240)
    assert found.cost.cost_usd == pytest.approx(480, rel=1e-3)
    assert found.site_energy_kwh == pytest.approx(120 * 1.5 * 1.2, rel=1e-3)
    assert found.emissions_kg == pytest.approx(108, rel=1e-3)
    assert found.electricity_usd == pytest.approx(21.6, rel=1e-3)


def test_what_is_lost_is_paid_for() -> None:
    often = Reliability(gpu_mtbf_s=float("inf"), node_mtbf_s=DAY_S)
    found = whole_run(GPT, WORK, ROUND, ESTIMATE, 864e9, parts=often)
    assert found.cost.gpu_s - found.ideal.gpu_s == pytest.approx(found.lost_gpu_s)
    assert found.cost.time_s * found.stops.goodput == pytest.approx(found.ideal.time_s)
    assert found.failures == pytest.approx(found.cost.time_s * 13 / DAY_S)  # 13 nodes


def test_opt_175b() -> None:
    """175 restarts in two months of 992 GPUs: one in 8 hours; tens of thousands of GPU hours lost.

    124 nodes that together fail 175 times in 60 days fail once in 42.5 days each. Restarts were by
    hand: hours.
    """
    months = replace(ESTIMATE, gpus=992)
    tokens = 60 * DAY_S / 10 * 1e6  # two months of steps of 10 s and 1e6 tokens
    parts = Reliability(
        gpu_mtbf_s=float("inf"), node_mtbf_s=124 * 60 / 175 * DAY_S, restart_s=4 * 3600
    )
    found = whole_run(GPT, WORK, ROUND, months, tokens, parts=parts)
    assert found.stops.mtbf_s == pytest.approx(8.2 * 3600, rel=0.01)
    assert 175 <= found.failures < 2.5 * 175
    assert 41_700 < found.lost_gpu_s / 3600 < 41_700 * 30
    quick = whole_run(GPT, WORK, ROUND, months, tokens, parts=replace(parts, restart_s=600))
    assert 41_700 / 3 < quick.lost_gpu_s / 3600 < 41_700 * 3


def test_a_job_that_never_gets_anything_done_is_refused() -> None:
    with pytest.raises(InputError, match=r"something fails every 1e-05 s"):
        whole_run(GPT, WORK, ROUND, ESTIMATE, 1e9, parts=Reliability(gpu_mtbf_s=1e-3))


def test_eight_and_six() -> None:
    """1e14 FLOP/s on 100 GPUs: 1e16. P tokens' worth of 6 P T takes what it takes."""
    params = active_params(GPT)
    eight, six = one_line(GPT, ESTIMATE, 1e9)
    assert (eight.flop_per_token, six.flop_per_token) == (8, 6)
    assert eight.utilisation == pytest.approx(8 * params * 1e9 / (1e16 * 10_000))
    assert six.utilisation == pytest.approx(0.75 * eight.utilisation)
    assert six.time_s == pytest.approx((6e9 * params / 5.5e15, 6e9 * params / 3e15))
