"""Programs that cannot be played say where they are stuck."""

from dataclasses import replace

import pytest

from plan3d.simulator.errors import InputError
from plan3d.simulator.schedules.network import Network
from plan3d.simulator.schedules.table import build


def test_ranks_that_wait_for_one_another() -> None:
    program = build("one_f_one_b", 2, 2)
    kind = program.kind.copy()
    kind[[0, 2]] = kind[[2, 0]]  # rank 0 begins with the backward pass of micro-batch 0
    with pytest.raises(InputError, match="stuck before rank 0 0B0, rank 1 1F0"):
        Network.of(replace(program, kind=kind))


def test_an_input_that_nobody_computes() -> None:
    program = build("one_f_one_b", 2, 2)
    batch = program.micro_batch.copy()
    batch[1] = 0  # rank 0 runs the forward pass of micro-batch 0 twice
    with pytest.raises(InputError, match="the input of 1F1 is computed by no operation"):
        Network.of(replace(program, micro_batch=batch))
