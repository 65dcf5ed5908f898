"""Kinds of question that are predicted more or less well, told apart before anything runs.

Few, so that each has many suites. Each is there because the residuals differ, and for a reason:

- *plain*: what the constants were made for. Matrix products dominate, and their speed is the best
  known of all constants.
- *rare*: experts, context parallelism or ZeRO-3, which few sources have.
- *slow-one-node*, *slow-many-nodes*: the predicted MFU is below `SLOW`. Something other than matrix
  products dominates: launches and small kernels within a node, the network between nodes. A wrong
  constant of the latter is felt in full, and networks differ most of all.
- *unseen*: a GPU that no run of the calibration used.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import numpy as np

from plan3d.simulator.numeric import Bools, Floats, Ints

SLOW: Final = 0.3
"""Model FLOP/s over the peak below which matrix products do not decide the step. [1]"""


class Regime(IntEnum):
    """Kinds of question; where several apply, the largest counts."""

    PLAIN = 0
    RARE = 1
    SLOW_ONE_NODE = 2
    SLOW_MANY_NODES = 3
    UNSEEN = 4

    @property
    def label(self) -> str:
        """As files and JSON write it."""
        return self.name.lower().replace("_", "-")


WORDS: Final[Mapping[Regime, str]] = {
    Regime.PLAIN: "dense, MFU of 30 % or more",
    Regime.RARE: "experts, context parallelism or ZeRO-3",
    Regime.SLOW_ONE_NODE: "MFU below 30 % on one node",
    Regime.SLOW_MANY_NODES: "MFU below 30 % on several nodes",
    Regime.UNSEEN: "a GPU without a published run",
}
"""What each is, in a few words."""


def regimes(
    *, mfu: Floats, zero: Floats, cp: Floats, moe: Bools, many_nodes: Bools, seen: Bools
) -> Ints:
    """Return the `Regime` of each question; all columns of shape (n,).

    Parameters
    ----------
    mfu
        As predicted: model FLOP/s over the dense peak. [1]
    zero, cp
        ZeRO stage and ranks of context parallelism. [1]
    moe
        The model has experts.
    many_nodes
        The job takes more than one node (NVLink domain).
    seen
        Runs of the calibration used the GPU.
    """
    slow = mfu < SLOW
    return np.select(
        [~seen, slow & many_nodes, slow, moe | (cp > 1) | (zero == 3)],
        [Regime.UNSEEN, Regime.SLOW_MANY_NODES, Regime.SLOW_ONE_NODE, Regime.RARE],
        Regime.PLAIN,
    ).astype(np.int64)
