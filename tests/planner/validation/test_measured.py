from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from plan3d.planner.validation import Evaluate, Profiles, Run
from plan3d.planner.validation.measured import (
    as_moved,
    comparable_bytes,
    memory_bytes,
    step_time_s,
)
from plan3d.planner.validation.models import model_of
from plan3d.planner.validation.rows import case_of
from plan3d.simulator.layout import LayoutTable


def test_the_printed_time_comes_first(run: Callable[..., Run]) -> None:
    row = run(tokens_s_gpu=1.0)
    assert step_time_s(row, model_of(row).value, 312e12) == 1.42


def test_time_from_tokens(run: Callable[..., Run]) -> None:
    row = run(iter_s=None, tokens_s_gpu=512.0)
    assert step_time_s(row, model_of(row).value, 312e12) == 2.0  # 4 x 2,048 / (512 x 8)


def test_time_from_megatron_tflops(run: Callable[..., Run]) -> None:
    # The 1T row of arXiv:2104.04473: 3,072 sequences, 163 TFLOP/s; section 5.1 gives the
    # training time of 450e9 tokens as 84 days, so 84 x 86,400 s / (450e9 / (3,072 x 2,048)) a step.
    row = run(
        layers=128, hidden=25600, heads=160, gpus=3072, tp=8, pp=64, dp=6, global_batch=3072,
        iter_s=None, tflops_gpu=163.0, flops_convention="Megatron 2021 Eq.3 with recompute",
    )  # fmt: skip
    step_s = step_time_s(row, model_of(row).value, 312e12)
    assert step_s == pytest.approx(84 * 86400 / (450e9 / (3072 * 2048)), rel=0.02)


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        # B s = 8,192 tokens, l h^2 = 48 x 6,144^2 = 1.811939e9, 1 + s/6h + V/16lh = 1.066406.
        ("96*B*s*l*h^2*(1+s/6h+V/16lh)", 96 * 8192 * 1.811939e9 * 1.066406),
        ("Korthikanti MFU", 72 * 8192 * 1.811939e9 * 1.066406),
        ("model_size*8*seq*GBS", 96 * 8192 * 1.811939e9),
        ("6N + 12*L*s*h per token", 8192 * (6 * 22e9 + 12 * 48 * 2048 * 6144)),
        ("6N per token", 8192 * 6 * 22e9),
    ],
)
def test_conventions(run: Callable[..., Run], convention: str, expected: float) -> None:
    row = run(iter_s=None, mfu=0.5, flops_convention=convention, params_b=22.0)
    # Eight GPUs at half of 250 TFLOP/s do 1e15 FLOP/s.
    step_s = step_time_s(row, model_of(row).value, 250e12)
    assert step_s == pytest.approx(expected / 1e15, rel=1e-4)


def test_no_time_without_a_convention(run: Callable[..., Run]) -> None:
    row = run(iter_s=None, mfu=0.5, flops_convention="not stated")
    assert step_time_s(row, model_of(row).value, 312e12) is None


@pytest.mark.parametrize(
    ("notes", "unit"),
    [
        ("", 1e9),
        ("mem GiB", 2**30),
        ("bytes/2^30", 2**30),
        ("nvidia-smi", 1000 * 2**20),
        ("/1e9", 1e9),
    ],
)
def test_memory_units(run: Callable[..., Run], notes: str, unit: float) -> None:
    assert memory_bytes(run(mem_gb=10.0, notes=notes, micro_batch=1)) == 10 * unit
    assert memory_bytes(run(notes=notes, micro_batch=1)) is None
    assert memory_bytes(run(mem_gb=10.0, notes=notes, micro_batch=None)) is None


def test_torchtitan_prints_gib(run: Callable[..., Run]) -> None:
    row = run(mem_gb=10.0, framework="torchtitan FSDP2", micro_batch=1)
    assert memory_bytes(row) == 10 * 2**30


@pytest.mark.parametrize(
    ("notes", "gigabytes"),
    [
        ("nvidia-smi", 53),
        ("max_reserved", 51),
        ("", 50),
        ("allocated-vs-reserved not stated", 50),
        ("one micro-step without optimizer (DDP); global_batch left empty", 51),
    ],
)
def test_memory_is_compared_with_what_it_counts(
    run: Callable[..., Run],
    profiles: Profiles,
    fake: Callable[..., Evaluate],
    notes: str,
    gigabytes: float,
) -> None:
    # Activations of 50 GB, a margin of 1 GB, a context of 2 GB.
    row = run(notes=notes, micro_batch=1)
    case = case_of(row, profiles)
    row = replace(row, pp=8, vpp=5)
    table = fake(lambda t: np.ones(len(t)))(
        case.model, case.work, case.cluster, case.software, LayoutTable.of(case.layouts)
    )
    assert comparable_bytes(row, table.row(0)) == gigabytes * 1e9


def test_activations_that_move_are_gone_but_for_what_is_on_its_way(
    run: Callable[..., Run], profiles: Profiles, fake: Callable[..., Evaluate]
) -> None:
    """Four of the 47 virtual stages in flight; 50 GB of activations."""
    row = run(notes="activation CPU offload ratio alpha=0.60", micro_batch=1)
    case = case_of(row, profiles)
    whole = fake(lambda t: np.ones(len(t)))(
        case.model, case.work, case.cluster, case.software, LayoutTable.of(case.layouts)
    ).row(0)
    found = as_moved(replace(row, pp=8, vpp=5), whole)
    left = 50e9 * (1 - 0.6 * (1 - 4 / 47))
    assert found.memory.activations_bytes == pytest.approx(left)
    assert found.first_stage == whole.first_stage  # which has none here
    assert as_moved(run(), whole) is whole
