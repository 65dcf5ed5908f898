"""Why ranks idle and what they keep, by hand."""

import numpy as np

from plan3d.simulator.events import StageCosts, play
from plan3d.simulator.schedules.table import build


def test_causes_by_hand() -> None:
    """Two ranks, two micro-batches, 1F1B, F = 1, B = 2, a transfer takes 1/2.

    Rank 0 runs F0 0-1, F1 1-2, B0 5-7, B1 8-10, rank 1 F0 1.5-2.5, B0 2.5-4.5, F1 4.5-5.5,
    B1 5.5-7.5: the inputs of rank 0 are computed at 4.5 and 7.5.
    """
    costs = StageCosts(forward_s=1.0, backward_input_s=1.5, backward_weight_s=0.5, transfer_s=0.5)
    line = play(build("one_f_one_b", 2, 2), costs)
    assert line.start_s.tolist() == [0, 1, 5, 8, 1.5, 2.5, 4.5, 5.5]
    assert line.makespan_s == 10
    assert line.span_s.tolist() == [10, 6]
    assert line.warm_up_s.tolist() == [2.5, 1]
    assert line.cool_down_s.tolist() == [0.5, 2.5]
    assert line.transfer_s.tolist() == [1, 0.5]
    assert line.imbalance_s.tolist() == [0, 0]
    assert line.peak_activations.tolist() == [2, 1]


def test_a_slow_stage_makes_the_others_wait() -> None:
    """Rank 1 takes twice the time: in the middle, rank 0 waits half of the time."""
    costs = StageCosts(
        forward_s=np.array([1.0, 2.0]), backward_input_s=np.array([1.0, 2.0]), backward_weight_s=0.0
    )
    few, many = (play(build("one_f_one_b", 2, m), costs) for m in (4, 14))
    assert (many.imbalance_s - few.imbalance_s).tolist() == [20, 0]
    assert (many.warm_up_s - few.warm_up_s).tolist() == [0, 0]


def test_activations_kept_for_the_weight_gradients() -> None:
    """ZB-H1 on two ranks: rank 1 still has a half for W of its first when the second is there."""
    costs = StageCosts(
        forward_s=1.0, backward_input_s=1.0, backward_weight_s=1.0,
        activations=np.array([3.0, 4.0]), weight_share=0.5,
    )  # fmt: skip
    assert play(build("zb_h1", 2, 4), costs).peak_activations.tolist() == [6, 4 + 2]
