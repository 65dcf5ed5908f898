r"""Pipelines in closed form: stages, micro-batches in flight, idle time.

Symbols
-------
p, v, m, l : stages, chunks per stage, micro-batches, layers
"""

from dataclasses import dataclass

import numpy as np

from plan3d.simulator.layout import LayoutTable, Schedule
from plan3d.simulator.numeric import Bools, Floats, Ints, Numeric, column


def counts_ends(layers: Numeric, pp: Numeric, vpp: Numeric) -> Numeric:
    r"""Whether embedding and loss are counted as a layer each to make the stages even [1].

    .. math:: l \bmod p v \neq 0 \;\wedge\; (l + 2) \bmod p v = 0

    Megatron-LM: ``--account-for-embedding-in-pipeline-split`` and ``...-loss-...``.

    Parameters
    ----------
    layers
        *l*. [1]
    pp
        *p*. [1]
    vpp
        *v*. [1]
    """
    chunks = pp * vpp
    even = np.asarray(layers % chunks == 0)
    return np.where(even | (pp < 2), 0.0, np.where((layers + 2) % chunks == 0, 1.0, 0.0))


def stage_layers(layers: Numeric, pp: Numeric, vpp: Numeric) -> Numeric:
    r"""Layers of the fullest stage [1].

    .. math:: v \lceil l / (p v) \rceil

    or, with the ends counted as layers, :math:`(l + 2) / p`.

    Parameters, shapes and units are those of `counts_ends`.
    """
    counted = counts_ends(layers, pp, vpp)
    full = vpp * np.ceil((layers + 2 * counted) / (pp * vpp))
    return full - np.where(pp > 2, 0.0, counted)


def last_stage_layers(layers: Numeric, pp: Numeric, vpp: Numeric) -> Numeric:
    r"""Layers of the last stage [1].

    .. math:: \lfloor l / p \rfloor

    or, with the ends counted as layers, :math:`(l + 2) / p - 1`.

    Parameters, shapes and units are those of `counts_ends`.
    """
    counted = counts_ends(layers, pp, vpp)
    floor = np.floor(layers / pp)
    return np.where(counted > 0, (layers + 2) / pp - 1, floor)


def weighed_layers(layers: Numeric, head_layers: Numeric, pp: Numeric) -> tuple[Floats, Floats]:
    r"""Layers of the first stage, the fullest, and of the one with the head [1].

    .. math::
       n_k = \min\Bigl(\Bigl\lceil \frac{k (l + w)}{p} \Bigr\rceil, l\Bigr), \quad
       n_1 \text{ and } l - n_K \text{ with } K = \Bigl\lfloor \frac{l p}{l + w} \Bigr\rfloor

    are its layers: a stage ends with the first block that takes the cost of all so far to its
    share, so that *n_k* layers stand on the first *k* stages.

    Parameters
    ----------
    layers
        *l*. [1]
    head_layers
        Cost of the output projection over that of a layer, *w*. [1]
    pp
        *p*. [1]

    References
    ----------
    .. [1] nanotron, ``build_model`` in src/nanotron/models/base.py.

    Examples
    --------
    >>> [tuple(map(float, weighed_layers(16.0, 4.0, p))) for p in (1.0, 2.0, 4.0, 8.0)]
    [(16.0, 16.0), (10.0, 6.0), (5.0, 1.0), (3.0, 1.0)]
    """
    closed = np.floor(layers * pp / (layers + head_layers))
    before = layers_before(layers, head_layers, pp, closed)
    return layers_before(layers, head_layers, pp, 1.0), np.asarray(layers - before)


def layers_before(layers: Numeric, head_layers: Numeric, pp: Numeric, stages: Numeric) -> Floats:
    """Return the layers of the first `stages` stages, *n_k* of `weighed_layers` [1]."""
    closed = np.ceil(stages * (layers + head_layers) / pp)
    last = np.asarray(stages >= pp)
    return np.where(last, layers, np.where(stages > 0, np.minimum(closed, layers), 0.0))


FOLDED = (Schedule.ZB_V, Schedule.DUALPIPE, Schedule.DUALPIPE_V)
"""Schedules whose first rank also holds the last virtual stage."""


def one_rank_has_both_ends(table: LayoutTable) -> Bools:
    """Return where embedding and loss are on the same rank, shape (n,)."""
    folded = np.isin(table.schedule, FOLDED) if np.any(table.schedule >= FOLDED[0]) else False
    return np.asarray((table.pp < 2) | folded)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StageLayers:
    """Layers of the stages that matter. Columns of shape (n,) [1]."""

    fullest: Floats
    last: Floats
    even: Floats
    """1 where the first stage is as full as any; 0 where its end counts as a layer."""

    @classmethod
    def of(cls, layers: float, table: LayoutTable, head_layers: float = 0.0) -> "StageLayers":
        """Return the layers per stage of every row.

        Where the head weighs as much as some layers, in a split by cost, that is `weighed_layers`.
        """
        n, pp, vpp = len(table), table.pp, table.vpp
        if head_layers > 0:
            first, last = weighed_layers(layers, head_layers, pp)
            return cls(fullest=column(first, n), last=column(last, n), even=np.ones(n))
        return cls(
            fullest=column(stage_layers(layers, pp, vpp), n),
            last=column(last_stage_layers(layers, pp, vpp), n),
            even=column(np.where(pp > 2, 1 - counts_ends(layers, pp, vpp), 1.0), n),
        )

    def gather(self, rows: Ints) -> "StageLayers":
        """Return some rows."""
        return StageLayers(fullest=self.fullest[rows], last=self.last[rows], even=self.even[rows])


def bubble_s(all_stages_s: Numeric, bottleneck_s: Numeric, vpp: Numeric) -> Numeric:
    r"""Idle time of the bottleneck stage in a step [s].

    .. math:: T_{bubble} = \frac{1}{v}\Bigl(\sum_i t_i - \max_i t_i\Bigr)

    For uniform stages this is :math:`(p - 1)(t_f + t_b)/v`; GPipe and 1F1B idle alike.

    Parameters
    ----------
    all_stages_s
        Forward and backward of one micro-batch through all stages, :math:`\sum t_i`. [s]
    bottleneck_s
        The same of the slowest stage. [s]
    vpp
        *v*. [1]

    References
    ----------
    .. [1] D. Narayanan et al., "Efficient Large-Scale Language Model Training on GPU Clusters Using
       Megatron-LM", SC 2021, section 2.2. arXiv:2104.04473
    """
    return (all_stages_s - bottleneck_s) / vpp


def idle_saved_s(
    work_s: Numeric,
    weight_s: Numeric,
    pp: Numeric,
    vpp: Numeric,
    micro_batches: Numeric,
    schedule: Numeric,
) -> Numeric:
    r"""Idle time that a schedule saves against (interleaved) 1F1B, for equal stages [s].

    .. math::
       \frac{(p - 1 + \min(m - 1, p - 1)) W}{v} \text{ (ZB-H1)}, \quad
       (p - 1 + \min(m - 1, 2 (p - 1))) W \text{ (ZB-H2)}, \quad
       \frac{(p - 1)(F + B)}{v} \text{ (ZB-V)}, \quad
       (p - 1)(F + B) - \left(\tfrac{p}{2} - 1\right)(F + 2 B - 3 W) \text{ (DualPipe)}

    and for DualPipeV :math:`(p - 1)(F + B)/v - (p - 1)(F + 2 B - 3 W)/2`, with F&B = F + B: no
    overlap of the two is taken for granted. Zero-bubble schedules wait for p - 1 weight gradients
    less, and do those of all micro-batches but the last in what idle time is left.
    docs/schedules.md has the sources and when they hold.

    Parameters
    ----------
    work_s
        F + B of one micro-batch on one stage, all its chunks. [s]
    weight_s
        Weight gradients in it, *W*. [s]
    pp
        *p*. [1]
    vpp
        *v*. [1]
    micro_batches
        *m*. [1]
    schedule
        A `Schedule`. [1]
    """
    backward = 2 * work_s / 3  # B of matrix products; only their split enters the small terms
    plain = (pp - 1) * work_s / vpp
    dual = np.maximum(work_s + backward - 3 * weight_s, 0.0)
    return np.select(
        [
            np.asarray(schedule == Schedule.ZB_H1),
            np.asarray(schedule == Schedule.ZB_H2),
            np.asarray(schedule == Schedule.ZB_V),
            np.asarray(schedule == Schedule.DUALPIPE),
            np.asarray(schedule == Schedule.DUALPIPE_V),
        ],
        [
            (pp - 1 + np.minimum(micro_batches - 1, pp - 1)) * weight_s / vpp,
            (pp - 1 + np.minimum(micro_batches - 1, 2 * (pp - 1))) * weight_s,
            plain,
            plain - (pp / 2 - 1) * dual,
            plain - (pp - 1) * dual / 2,
        ],
        0.0,
    )


def in_flight(
    stage: Numeric, pp: Numeric, vpp: Numeric, micro_batches: Numeric, schedule: Numeric
) -> Numeric:
    r"""Micro-batches whose activations of a whole stage are alive at its peak [1].

    .. math::
       m \text{ (GPipe)}, \quad \min(m, p - i) \text{ (1F1B)}, \quad
       \min\Bigl(m, \frac{2(p - i - 1) + (v - 1) p + 1}{v}\Bigr) \text{ (interleaved)}

    and m for looped BFS, p for ZB-H1 and ZB-V, 2p - 1 for ZB-H2, p + 1 for DualPipe, p + 1/2 for
    DualPipeV (docs/schedules.md), never more than m.

    Parameters
    ----------
    stage
        *i*, from 0. [1]
    pp
        *p*. [1]
    vpp
        *v*. [1]
    micro_batches
        *m*. [1]
    schedule
        A `Schedule`. [1]

    References
    ----------
    .. [1] V. Korthikanti et al., arXiv:2205.05198, section 4.2.3: the first stage keeps
       :math:`L (1 + (p-1)/(p v))` layers; Megatron-LM, ``get_pp_rank_microbatches``.
    """
    warm = (2 * (pp - stage - 1) + (vpp - 1) * pp + 1) / vpp
    kept = [
        micro_batches, pp - stage, warm, micro_batches, np.maximum(pp, warm * (vpp > 1)),
        2 * pp - 1, pp, pp + 1, pp + 0.5,
    ]  # fmt: skip
    which = [np.asarray(schedule == kind) for kind in Schedule]
    flying: Numeric = np.minimum(np.select(which, kept), micro_batches)
    return flying
