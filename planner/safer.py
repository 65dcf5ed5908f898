"""Of plans that are as fast as each other, the one that is more likely to run at all."""

import numpy as np

from plan3d.planner.grouping import NEAR
from plan3d.simulator.numeric import Floats, Ints


def safest_first(order: Ints, score: Floats, out_of_memory: Floats, near: float = NEAR) -> Ints:
    r"""Return an order with the safest of the near-ties of the first plan in front.

    .. math:: \min_i \frac{t_i}{1 - P_i}, \quad t_i \le (1 + \text{near}) \min_j t_j

    which is the expected time if a layout that runs out of memory costs its share of the time
    again: a plan that is 1 % slower is worth it if it is a percent less likely to fail. The others
    keep their places.

    Parameters
    ----------
    order
        Plans, the best first, shape (n,).
    score
        What the best has least of, shape (m,).
    out_of_memory
        Chance of each to run out of memory, shape (m,). [1]
    near
        Scores nearer than this to the best are a tie. [1]

    Examples
    --------
    >>> safest_first(np.array([0, 1]), np.array([1.0, 1.005]), np.array([0.5, 0.1])).tolist()
    [1, 0]
    """
    if len(order) == 0:
        return order
    ties = order[score[order] <= (1 + near) * score[order[0]]]
    first = ties[np.argmin(score[ties] / np.maximum(1 - out_of_memory[ties], 1e-12))]
    return np.concatenate([[first], order[order != first]])
