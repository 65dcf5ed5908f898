"""Rows of expert products."""

from dataclasses import replace

import pytest

from plan3d.simulator.block_linears import routed_tokens
from tests.simulator.jobs import MIXTURE, PLAIN


@pytest.mark.parametrize(
    ("padding", "rows"),
    [
        pytest.param(1.0, 2.0, id="each expert its own"),
        pytest.param(3.0, 6.0, id="as many as the busiest"),
        pytest.param(9.0, 8.0, id="which has all tokens at most"),
    ],
)
def test_experts_padded_to_the_busiest(padding: float, rows: float) -> None:
    """Eight experts, two for each token."""
    assert MIXTURE.experts is not None
    software = replace(PLAIN, expert_padding=padding)
    assert routed_tokens(MIXTURE.experts, software) == rows
