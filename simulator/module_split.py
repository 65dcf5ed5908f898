r"""Layers per stage where modules are divided evenly: the ends count as layers.

The embedding stands before the layers; the final norm and the output projection, behind them, are a
module each. What does not divide goes to the first stages.

References
----------
.. [1] github.com/Aleph-Alpha/scaling: ``get_transformer_layer_specs`` in
   src/scaling/transformer/model/model.py, ``pipe_partition_uniform`` in
   src/scaling/core/nn/parallel_module/pipeline_partitioning.py.
"""

import numpy as np

from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Floats, Numeric, column
from plan3d.simulator.pipeline import StageLayers


def modules_before(layers: Numeric, pp: Numeric, stages: Numeric) -> Floats:
    r"""Return the layers of the first `stages` stages [1].

    .. math:: n_k = \min(\max(k q + \min(k, r) - 1, 0), l), \quad q p + r = l + 3, \quad r < p

    Parameters
    ----------
    layers
        *l*. [1]
    pp
        *p*. [1]
    stages
        *k*. [1]

    Examples
    --------
    >>> modules_before(40, 4, np.arange(5)).tolist()  # 11, 11, 11 and 10 of 43 modules
    [0.0, 10.0, 21.0, 32.0, 40.0]
    """
    each, more = np.divmod(np.asarray(layers, dtype=np.float64) + 3, pp)
    return np.clip(stages * each + np.minimum(stages, more) - 1, 0.0, layers)


def module_stages(layers: float, table: LayoutTable) -> StageLayers:
    """Return the layers per stage of every row."""
    n, pp = len(table), table.pp
    first, second, closed = (modules_before(layers, pp, k) for k in (1, 2, pp - 1))
    fullest = np.where(pp > 2, np.maximum(first, second - first), first)
    return StageLayers(
        fullest=column(fullest, n),
        last=column(layers - closed, n),
        even=column(np.where(first == fullest, 1.0, 0.0), n),
    )
