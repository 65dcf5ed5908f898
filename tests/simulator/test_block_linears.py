"""Rows of expert products."""

from dataclasses import replace

import pytest

from plan3d.simulator.block_linears import routed_tokens
from plan3d.simulator.software import Software
from tests.simulator.jobs import MIXTURE, PLAIN

SKEWED = replace(PLAIN, expert_imbalance=1.5)


@pytest.mark.parametrize(
    ("software", "rows"),
    [
        pytest.param(PLAIN, 2.0, id="each expert its own"),
        pytest.param(SKEWED, 3.0, id="the busiest rank has more"),
        pytest.param(replace(SKEWED, pads_experts=True), 8.0, id="every expert has all tokens"),
    ],
)
def test_rows_per_token(software: Software, rows: float) -> None:
    """Eight experts, two for each token."""
    assert MIXTURE.experts is not None
    assert routed_tokens(MIXTURE.experts, software) == rows
