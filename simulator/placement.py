"""Where the ranks of a group stand: how many share a node, and over how many nodes they spread."""

from dataclasses import dataclass

import numpy as np

from plan3d.simulator.numeric import Numeric


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Ranks that communicate. Scalars or columns of shape (layouts,) [ranks]."""

    size: Numeric
    """All members."""
    local: Numeric
    """Members in one node."""

    @property
    def nodes(self) -> Numeric:
        """Nodes that the group touches [nodes]."""
        return self.size / self.local


def place(size: Numeric, stride: Numeric, gpus_per_node: int) -> Group:
    """Return the group of `size` ranks that are `stride` apart on the rank grid.

    Ranks fill node after node. With the order tp-cp-dp-pp (innermost first) the stride of tp is
    1, of cp tp, of dp tp * cp, of pp tp * cp * dp (Narayanan et al., arXiv:2104.04473, section 3:
    tensor parallelism inside a node, pipeline across). The members of one node are those that
    fit; a group that does not fill its nodes evenly is treated as its mean.

    Examples
    --------
    >>> group = place(16, 2, gpus_per_node=8)
    >>> float(group.local), float(group.nodes)
    (4.0, 4.0)
    """
    fit = np.maximum(gpus_per_node // np.maximum(stride, 1), 1)
    return Group(size=size, local=np.minimum(fit, size))
