from dataclasses import fields, replace

import pytest

from plan3d.simulator.economics import (
    DAY_S,
    Criteria,
    cost_usd,
    criteria,
    energy_j,
    rented_s,
    run_cost,
    run_time_s,
    tokens_per_usd,
)
from plan3d.simulator.errors import InputError
from plan3d.simulator.hardware import GemmLaw, Gpu, Peaks
from plan3d.simulator.result import Estimate, LinkTime, Memory, StepTime
from plan3d.simulator.textbook import training_time_s

GPU = Gpu(
    name="round", peaks=Peaks(fp32=1e12, tf32=1e12, fp16=1e14, bf16=1e14, fp8=0),
    memory_bytes=80e9, hbm_bytes_per_s=1e12, sms=100,
    gemm=GemmLaw(efficiency=1, droop=0, overhead_s=0, memory_efficiency=1, fp8_efficiency=1),
    attention={}, elementwise_efficiency=1, elementwise_overhead_s=0, host_bytes_per_s=1e10,
    context_bytes=0, power_w=500, usd_per_s=2 / 3600,
)  # fmt: skip
ZERO_TIME = StepTime(**{f.name: 0.0 for f in fields(StepTime)})
ESTIMATE = Estimate(
    time=replace(ZERO_TIME, matmul_s=6.0, tp_comm_s=1.0, dp_comm_s=2.0, bubble_s=1.0),
    link=LinkTime(**{f.name: 0.0 for f in fields(LinkTime)}),
    memory=replace(
        Memory(**{f.name: 0.0 for f in fields(Memory)}), parameters_bytes=40e9, margin_bytes=20e9
    ),
    stage=0, first_stage=Memory(**{f.name: 0.0 for f in fields(Memory)}),
    model_flop=6e15, hardware_flop=8e15, capacity_bytes=80e9, gpus=100,
    peak_flop_per_s=1e14, tokens=1e6,
)  # fmt: skip


def test_a_run_by_hand() -> None:
    """864e6 tokens are 864 steps of 10 s: 2.4 h on 100 GPUs at 2 USD and 0.5 kW."""
    cost = run_cost(ESTIMATE, GPU, tokens=864e6)
    assert cost.time_s == 8640
    assert cost.days == pytest.approx(0.1)
    assert cost.gpu_hours == pytest.approx(240)
    assert cost.cost_usd == pytest.approx(480)
    assert cost.energy_kwh == pytest.approx(120)
    assert cost.tokens_per_usd == pytest.approx(1.8e6)


def test_slower_steps_take_and_cost_as_much_more() -> None:
    run = run_cost(ESTIMATE, GPU, 1e9)
    half_again = run.slower(1.5)
    assert half_again.days == pytest.approx(1.5 * run.days)
    assert half_again.cost_usd == pytest.approx(1.5 * run.cost_usd)
    assert half_again.energy_kwh == pytest.approx(1.5 * run.energy_kwh)
    assert half_again.gpu_hours == pytest.approx(1.5 * run.gpu_hours)
    assert half_again.tokens == run.tokens


def test_lost_time_is_paid_for() -> None:
    cost = run_cost(ESTIMATE, GPU, tokens=864e6, goodput=0.8)
    assert cost.cost_usd == pytest.approx(600)
    assert cost.time_s == pytest.approx(10800)


def test_tokens_per_dollar_agree() -> None:
    direct = tokens_per_usd(ESTIMATE.tokens, ESTIMATE.step_time_s, 100, GPU.usd_per_s)
    assert run_cost(ESTIMATE, GPU, tokens=5e9).tokens_per_usd == pytest.approx(direct)


def test_a_free_gpu_has_no_price_per_token() -> None:
    assert run_cost(ESTIMATE, replace(GPU, usd_per_s=0.0), tokens=1e9).tokens_per_usd == float(
        "inf"
    )


@pytest.mark.parametrize("tokens", [0.0, -1.0, float("nan"), float("inf")])
def test_tokens_must_be_sensible(tokens: float) -> None:
    with pytest.raises(InputError, match=r"tokens is .* such as 300e9"):
        run_cost(ESTIMATE, GPU, tokens=tokens)


@pytest.mark.parametrize("goodput", [0.0, -0.5, 1.01, float("nan")])
def test_goodput_must_be_a_share(goodput: float) -> None:
    with pytest.raises(InputError, match="goodput is"):
        run_cost(ESTIMATE, GPU, tokens=1e9, goodput=goodput)


def test_criteria_by_hand() -> None:
    """A third done twice, 60 of 80 GB, 3 of 10 s."""
    score = criteria(ESTIMATE)
    expected = Criteria(redundant_computation=1 / 3, peak_memory=0.75, communication=0.3)
    for f in fields(Criteria):
        assert getattr(score, f.name) == pytest.approx(getattr(expected, f.name))


def test_llama_65b_cost_about_five_million_dollars() -> None:
    """2,048 A100 for 21 days: 1.03 million GPU hours; the lecture says 5M USD (about 4.84/h)."""
    for usd_per_hour, low, high in ((2.0, 1.5e6, 3e6), (4.84, 4.9e6, 5.1e6)):
        assert low < cost_usd(21 * DAY_S, 2048, usd_per_hour / 3600) < high


def test_gpt3_took_a_month_of_thousands_of_v100() -> None:
    """The lecture's orders of magnitude: 1k-10k V100 (125 TFLOP/s), a month, 1-10M USD."""
    days = training_time_s(175e9, 300e9, 3000, 125e12, 0.35, recompute=0) / DAY_S
    assert 20 < days < 45
    assert 1e6 < cost_usd(days * DAY_S, 3000, 2.0 / 3600) < 1e7


def test_energy_is_power_times_time() -> None:
    assert energy_j(run_time_s(10.0, 2.0, 3.0), 4, 100.0) == 15 * 4 * 100


def test_what_a_budget_rents_costs_the_budget() -> None:
    assert rented_s(7200.0, 2 / 3600) == pytest.approx(3600 * 3600)
    assert cost_usd(rented_s(5e6, 1e-3), 1, 1e-3) == pytest.approx(5e6)
