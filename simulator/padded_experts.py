"""What eager experts move that are padded to the busiest one, beside their products."""

from plan3d.simulator.context import Context
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.model import Experts
from plan3d.simulator.numeric import Numeric


def padded_bytes(context: Context, table: LayoutTable, experts: Experts) -> tuple[Numeric, Numeric]:
    r"""Bytes that routing to padded experts moves, forward and backward [bytes].

    .. math:: P + 5 A + 13 R, \qquad 6 k P + 9 A + 24 R

    with padded rows *P*, what is between their products *A*, and routed rows *R*. All tokens are
    at the same *k* experts. Forward, zeros are made, the activation and the product with the gate
    are two kernels (without a gate one: 2 A), and rows are gathered, put between the zeros, taken
    from there, weighted and added up. Backward, each expert's part has a padded gradient of its
    own (zeros, and a sum of all), which is copied once more where its rows were put in; the gate
    takes 9 A, an activation alone 3 A. Counted in PyTorch, operator by operator, of
    ``grouped_expert_forward`` [1]_ by benchmarks/count_padded_experts.py.

    Parameters
    ----------
    context
        Widths, bytes of an activation.
    table
        tp, cp, etp, micro-batch.
    experts
        *E*, of which a token goes to *k*.

    References
    ----------
    .. [1] github.com/KempnerInstitute/KempnerForge, kempnerforge/model/moe.py, April 2026.
    """
    model, work = context.model, context.work
    width = work.precision.activation_bytes
    tokens = table.micro_batch * work.seq / table.cp * table.etp / table.tp
    padded = experts.count * tokens * model.hidden * width
    between = experts.count * tokens * experts.ffn / table.etp * width
    routed = experts.top_k * tokens * model.hidden * width
    ahead, back = (5, 9) if model.gated else (2, 3)
    return (
        padded + ahead * between + 13 * routed,
        6 * experts.top_k * padded + back * between + 24 * routed,
    )
