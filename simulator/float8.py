"""Casts of 8-bit matrix products that are scaled by row, beside the products themselves."""

from plan3d.simulator.block_linears import linears
from plan3d.simulator.context import Context
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Numeric


def row_cast_bytes(context: Context, table: LayoutTable, *, moe: bool) -> tuple[Numeric, Numeric]:
    r"""Bytes that casts by row move in a block, forward and backward [bytes].

    .. math:: \sum 3\,(X + W), \qquad \sum 5\,X + 7\,W + 8\,Y

    over linear layers with inputs of *X* elements, weights of *W*, results of *Y*. An operand is
    read in 16 bits and written in 8 (3). Its other product sums over the other dimension, whose
    scales are others: it is written transposed in 16 bits beside the first cast (inputs, gradients
    of results: 2) or by a kernel of its own (weights: 4), read and cast again (3). Inputs are cast
    where they are whole: tensor parallelism gathers them in 16 bits.

    Parameters
    ----------
    context
        Model, micro-batch; nothing is cast unless its precision is scaled by row.
    table
        tp, cp, micro-batch.
    moe
        A block with experts, or a dense one.

    References
    ----------
    .. [1] torchao, ``get_tensor_memory_traffic_ovhd_s`` in torchao/testing/training/
       roofline_utils.py, recipe "rowwise", nothing fused with the kernel before.
    """
    if not context.work.precision.scaled_by_row:
        return 0.0, 0.0
    forward: Numeric = 0.0
    backward: Numeric = 0.0
    for one in linears(context, table, moe=moe):
        if one.kind == "fp8":
            inputs = one.batch * one.tokens * one.summed
            weights = one.batch * one.summed * one.out
            forward = forward + 3.0 * (inputs + weights)
            results = one.batch * one.tokens * one.out
            backward = backward + 5.0 * inputs + 7.0 * weights + 8.0 * results
    return forward, backward
