from dataclasses import fields

import pytest

from plan3d.simulator.errors import InputError
from plan3d.simulator.estimate import estimate
from plan3d.simulator.layout import Layout
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.parameters import total_params
from plan3d.simulator.reliability import DAY_S, SOURCES, Reliability, interruptions
from plan3d.simulator.workload import Workload
from tests.simulator.jobs import DGX, GPT, PLAIN, WORK

HOUR_S = 3600.0


def test_by_hand() -> None:
    """16 GPUs of 32 days and 2 nodes of 4: a failure a day. Twice the nodes write twice as fast."""
    parts = Reliability(
        gpu_mtbf_s=32 * DAY_S, node_mtbf_s=4 * DAY_S, restart_s=100, node_bytes_per_s=1e6
    )
    found = interruptions(GPT, WORK, 16, 8, parts)
    size = 14.0 * total_params(GPT)  # 2 as they are read, 12 as Adam keeps them
    assert found.mtbf_s == pytest.approx(DAY_S)
    assert found.checkpoint_bytes == size
    assert found.write_s == pytest.approx(size / 2e6)
    assert found.restart_s == pytest.approx(100 + found.write_s)
    assert found.young_s == pytest.approx((2 * found.write_s * DAY_S) ** 0.5)


def test_a_rack_of_one_nvlink_domain_is_several_hosts() -> None:
    """72 GPUs are nine hosts of eight, whether one domain holds them or nine do."""
    parts = Reliability()
    assert interruptions(GPT, WORK, 72, 72, parts) == interruptions(GPT, WORK, 72, 8, parts)
    assert interruptions(GPT, WORK, 72, 4, parts).mtbf_s < parts.node_mtbf_s / 18


def test_a_checkpoint_is_what_the_memory_model_holds() -> None:
    """On one GPU nothing is held twice; over 8 replicas ZeRO-1 cuts what the optimizer keeps."""
    size = interruptions(GPT, WORK, 8, 8, Reliability()).checkpoint_bytes
    alone = estimate(GPT, WORK, DGX, PLAIN, Layout()).memory
    assert alone.parameters_bytes + alone.optimizer_bytes == pytest.approx(size)
    cut = estimate(GPT, WORK, DGX, PLAIN, Layout(dp=8, zero=1, shard=8)).memory
    assert cut.parameters_bytes + 8 * cut.optimizer_bytes == pytest.approx(size)


def test_bloom_wrote_checkpoints_of_two_tebibytes() -> None:
    """BigScience: 329 GiB of bf16 weights, 2.3 TiB with the optimizer's states (its chronicles)."""
    bloom = ModelSpec(
        layers=70, hidden=14336, heads=112, kv_heads=112, head_dim=128, ffn=57344, vocab=250_880
    )
    found = interruptions(bloom, Workload(seq=2048, global_batch=2048), 384, 8, Reliability())
    assert found.checkpoint_bytes / 2**40 == pytest.approx(2.3, rel=0.04)


def test_llama_3_failed_every_three_hours_and_trained_nine_tenths() -> None:
    """54 days of 16,384 GPUs, 419 unexpected interruptions, over 90 % of effective time."""
    llama = ModelSpec(
        layers=126, hidden=16384, heads=128, kv_heads=8, head_dim=128, ffn=53248, vocab=128_256,
        gated=True, tied=False,
    )  # fmt: skip
    found = interruptions(llama, Workload(seq=8192, global_batch=2048), 16_384, 8, Reliability())
    assert found.mtbf_s == pytest.approx(54 * DAY_S / 419)
    assert 0.9 < found.goodput < 0.97


def test_parts_that_never_fail_cost_only_checkpoints() -> None:
    never = Reliability(gpu_mtbf_s=float("inf"), node_mtbf_s=1e15)
    assert interruptions(GPT, WORK, 8, 8, never).goodput == pytest.approx(1, abs=1e-4)


def test_every_default_has_its_source() -> None:
    assert set(SOURCES) == {f.name for f in fields(Reliability)}


@pytest.mark.parametrize("name", [f.name for f in fields(Reliability)])
def test_what_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is -1, but must be"):
        Reliability(**{name: -1.0})
