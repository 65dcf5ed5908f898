"""How many parameters stand on one GPU, by who else holds a copy."""

from dataclasses import dataclass, fields

import numpy as np

from plan3d.simulator.ends import embedding_ranks, head_ranks, padded_vocab
from plan3d.simulator.layout import LayoutTable, Schedule
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.numeric import Bools, Floats, Numeric, column
from plan3d.simulator.parameters import end_params, layer_params
from plan3d.simulator.pipeline import one_rank_has_both_ends
from plan3d.simulator.software import Software


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StageParams:
    """Parameters of one stage on one GPU, before ZeRO. Columns of shape (n,) [1]."""

    blocks: Floats
    """Of the blocks, replicated over dp and cp."""
    experts: Floats
    """Routed experts, replicated over what ep leaves of dp, cp and tp."""
    ends: Floats
    """Embedding, positions, final norm, output projection, where the stage has them."""
    largest_block: Floats
    """The largest single block: what ZeRO-3 gathers at a time, but for routed experts."""
    largest_experts: Floats
    tied_copy: Floats
    """The last stage's own copy of a tied embedding."""

    @property
    def total(self) -> Floats:
        """All of them [1]."""
        return self.blocks + self.experts + self.ends

    def where(self, condition: Bools, other: "StageParams") -> "StageParams":
        """Return these where the condition holds, else the other's."""
        return StageParams(
            **{
                f.name: np.where(condition, getattr(self, f.name), getattr(other, f.name))
                for f in fields(self)
            }
        )


def stage_params(
    model: ModelSpec, software: Software, table: LayoutTable, layers: Numeric, *,
    first: bool, last: bool,
) -> StageParams:  # fmt: skip
    """Return the parameters of a stage of `layers` layers.

    The dense layers of a mixture of experts come first: they stand on the first stage.
    """
    dense, moe = layer_params(model, moe=False), layer_params(model, moe=True)
    ends = end_params(model)
    moe_layers = _moe_layers(model, layers, first=first)
    dense_layers = layers - moe_layers
    tp = table.tp
    per_dense = dense.tensor / tp + dense.replicated
    per_moe = moe.tensor / tp + moe.replicated
    per_experts = moe.experts / (table.ep * table.etp)
    has_dense, has_moe = model.dense_layers > 0, model.moe_layers > 0
    padding = padded_vocab(model, software, tp) / model.vocab
    outer: Numeric = 0.0
    copy: Numeric = 0.0
    embedding = ends.embedding * padding / embedding_ranks(software, table)
    if first:
        outer = outer + embedding + ends.positions
    if last:
        outer = outer + ends.head * padding / head_ranks(software, table) + ends.final
        apart = ~one_rank_has_both_ends(table)
        copy = np.where(model.tied & apart, embedding, 0.0)
        outer = outer + copy
    n = len(table)
    # DualPipe keeps a stage of either direction on each rank.
    copies = np.where(table.schedule == Schedule.DUALPIPE, 2.0, 1.0)
    return StageParams(
        blocks=column(copies * (dense_layers * per_dense + moe_layers * per_moe), n),
        experts=column(copies * moe_layers * per_experts, n),
        ends=column(outer, n),
        largest_block=column(np.maximum(per_dense * has_dense, per_moe * has_moe), n),
        largest_experts=column(per_experts * has_moe, n),
        tied_copy=column(copy, n),
    )


def _moe_layers(model: ModelSpec, layers: Numeric, *, first: bool) -> Numeric:
    r"""Layers with experts among the layers of a stage [1].

    .. math:: (n - d) / k

    with d dense layers at the start (of the first stage) and every k-th one of experts.

    Parameters
    ----------
    model
        d and k.
    layers
        *n*. [1]
    first
        Whether it is the first stage.
    """
    if model.experts is None:
        return 0.0 * layers
    dense = model.experts.dense_first if first else 0
    return np.minimum(np.maximum(layers - dense, 0.0) / model.experts.every, model.moe_layers)


def sync_ranks(table: LayoutTable) -> tuple[Floats, Floats]:
    """Return over how many ranks block and expert parameters are replicated [ranks]."""
    everyone = table.dp * table.cp
    return everyone, everyone * table.tp / (table.ep * table.etp)
