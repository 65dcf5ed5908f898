"""The documents' own figures, to the digits that they print."""

import numpy as np
import pytest

from plan3d.simulator.textbook_memory import (
    NUMBER_BYTES,
    activation_bytes,
    adam_bytes,
    bytes_per_parameter,
    data_parallel_bytes,
    fsdp_weight_bytes,
    training_bytes,
    zero_bytes,
)
from plan3d.simulator.workload import OPTIMIZERS, PRECISIONS

GPT3 = {"layers": 96, "seq": 2048, "hidden": 12288, "heads": 96}


def test_gpt3_in_fp32() -> None:
    """700 GB of parameters, 700 GB of gradients, 1.4 TB of Adam."""
    assert 175e9 * NUMBER_BYTES["fp32"] == 700e9
    assert adam_bytes(175e9, NUMBER_BYTES["fp32"]) == 700e9 + 700e9 + 1400e9


def test_seven_billion_parameters_need_112_gb() -> None:
    assert adam_bytes(7e9, 4) == 112e9


def test_ten_billion_parameters_in_pure_bf16_need_80_gb() -> None:
    assert adam_bytes(10e9, 2) == 80e9


def test_gpt3_activations() -> None:
    one = activation_bytes(batch=1, **GPT3)
    assert one == pytest.approx(444.5e9, abs=0.05e9)
    assert one / 700e9 == pytest.approx(0.63, abs=0.006)
    assert int(activation_bytes(batch=128, **GPT3) / 700e9) == 81


def test_the_whole_of_gpt3() -> None:
    """48 l h^2 = 4 x 12 x 96 x 12288^2 numbers beside the activations, four bytes each."""
    states = 48 * 96 * 12288**2 * 4
    assert training_bytes(batch=1, **GPT3) == states + activation_bytes(batch=1, **GPT3)


@pytest.mark.parametrize(
    ("precision", "optimizer", "expected"),
    [
        pytest.param("bf16", "adam", 16, id="2+2+4+4+4"),
        pytest.param("fp16", "adam", 16, id="2+2+4+4+4"),
        pytest.param("fp32", "adam", 16, id="4+4+4+4"),
        pytest.param("bf16-pure", "adam", 8, id="2+2+2+2"),
        pytest.param("fp32", "sgd", 8, id="4+4"),
        pytest.param("fp32", "momentum", 12, id="4+4+4, momentum"),
        pytest.param("fp32", "adagrad", 12, id="4+4+4, adagrad"),
        pytest.param("fp32", "adafactor", 8, id="4+4, rows and columns are negligible"),
        pytest.param("fp32", "adam8bit", 10, id="4+4+1+1"),
        pytest.param("bf16", "adam8bit", 10, id="2+2+4+1+1"),
        pytest.param("bf16", "sgd", 8, id="2+2+4"),
        pytest.param("bf16", "sophia", 16, id="2+2+4+4+4, sophia"),
    ],
)
def test_bytes_per_parameter(precision: str, optimizer: str, expected: float) -> None:
    assert bytes_per_parameter(PRECISIONS[precision], OPTIMIZERS[optimizer]) == expected


def test_data_parallelism_shrinks_activations_only() -> None:
    assert data_parallel_bytes(7.5e9, 640e9, ranks=64) == 120e9 + 10e9
    assert data_parallel_bytes(7.5e9, 0.0, ranks=1e9) == 120e9


@pytest.mark.parametrize(
    ("zero", "expected_gb"),
    [
        pytest.param(0, 120.0, id="16 x 7.5"),
        pytest.param(1, 31.4, id="4 x 7.5 + 12 x 7.5 / 64"),
        pytest.param(2, 16.6, id="2 x 7.5 + 14 x 7.5 / 64"),
        pytest.param(3, 1.9, id="16 x 7.5 / 64"),
    ],
)
def test_zero_as_in_its_paper(zero: int, expected_gb: float) -> None:
    assert round(float(zero_bytes(7.5e9, zero, 64)) / 1e9, 1) == expected_gb


def test_zero_on_one_rank_saves_nothing() -> None:
    column = zero_bytes(7.5e9, np.arange(4.0), 1)
    assert np.array_equal(column, [120e9] * 4)


def test_fsdp_holds_its_shard_and_one_block() -> None:
    """6.4e9 in 32 equal blocks on 8 ranks, bf16: 1.6 GB of shard and 0.4 GB of block."""
    assert fsdp_weight_bytes(6.4e9, 0.2e9, 8) == pytest.approx(1.6e9 + 0.4e9)


def test_number_widths() -> None:
    assert NUMBER_BYTES == {"fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "fp8": 1}
