"""What the virtual stages of a pipeline cost, by the analytical model: what the events play."""

import numpy as np

from plan3d.simulator.context import Context
from plan3d.simulator.estimate import block_costs
from plan3d.simulator.events import StageCosts
from plan3d.simulator.layout import LayoutTable, Recompute
from plan3d.simulator.module_split import modules_before
from plan3d.simulator.numeric import Floats, Ints
from plan3d.simulator.pipeline import counts_ends, layers_before
from plan3d.simulator.step_time import recomputed_share, sends


def stage_costs(context: Context, table: LayoutTable) -> StageCosts:
    """Return the costs of the virtual stages of layouts that share pp and vpp.

    Columns of shape (pp * vpp, n) for n layouts; activations are in bytes. What a send does not
    hide keeps both ranks busy; the rest of it only delays.
    """
    block, kept, _ = block_costs(context, table)
    depth = int(table.pp[0] * table.vpp[0])
    layers = _layers(context, int(table.pp[0]), int(table.vpp[0]))[:, None]
    share = recomputed_share(table, np.full(len(table), float(layers.max() * table.vpp[0])))
    selective = table.recompute == Recompute.SELECTIVE
    replay = np.where(selective, block.selective_s, share * block.replay_s)
    send, _ = sends(context, table)
    hidden = context.software.pp_overlap * table.pp_overlap
    busy = np.broadcast_to((1 - hidden) * send, (depth, len(table)))
    forward = layers * block.forward_s + busy
    backward = layers * (block.backward_s - block.weight_s + replay) + busy
    forward[0] += block.first_forward_s
    backward[0] += block.first_s - block.first_forward_s
    forward[-1] += block.last_forward_s
    backward[-1] += block.last_s - block.last_forward_s
    whole = np.where(selective, kept.selective_bytes, kept.whole_bytes)
    full = table.recompute >= Recompute.FULL
    bytes_ = np.where(full, share * kept.input_bytes + (1 - share) * whole, whole)
    return StageCosts(
        forward_s=forward,
        backward_input_s=backward,
        backward_weight_s=layers * block.weight_s,
        transfer_s=np.broadcast_to(hidden * send, (depth - 1, len(table))),
        activations=layers * bytes_,
    )


def _layers(context: Context, pp: int, vpp: int) -> Floats:
    """Return how the software divides the layers among virtual stages, shape (pp * vpp,) [1]."""
    layers = context.model.layers
    if context.software.modules_in_split:
        return np.diff(modules_before(layers, pp * vpp, np.arange(pp * vpp + 1.0)))
    return virtual_layers(layers, pp, vpp, context.head_in_layers)


def virtual_layers(layers: int, pp: int, vpp: int, head_layers: float = 0.0) -> Floats:
    """Return the layers of each virtual stage, shape (pp * vpp,).

    As even as they can be, the first ones fuller; where the ends count as a layer each, the first
    and the last have one less. Where the head weighs as much as some layers, in a split by cost
    (`pipeline.weighed_layers`), those that come before it are fuller.

    Examples
    --------
    >>> virtual_layers(14, 4, 1).tolist(), virtual_layers(7, 2, 1).tolist()
    ([3.0, 4.0, 4.0, 3.0], [4.0, 3.0])
    >>> virtual_layers(16, 4, 1, 4.0).tolist()
    [5.0, 5.0, 5.0, 1.0]
    """
    depth = pp * vpp
    if head_layers > 0:
        return np.diff(layers_before(float(layers), head_layers, depth, np.arange(depth + 1.0)))
    counted = int(counts_ends(layers, pp, vpp))
    each, more = divmod(layers + 2 * counted, depth)
    rows: Ints = np.full(depth, each) + (np.arange(depth) < more)
    found = rows.astype(np.float64)
    found[[0, -1]] -= counted
    return found
