"""Parameters, gradients and optimizer states of a stage, after ZeRO."""

from dataclasses import dataclass, fields

import numpy as np

from plan3d.simulator.context import Context
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Bools, Floats, Ints, Numeric, column
from plan3d.simulator.software import Software
from plan3d.simulator.stage_params import StageParams, sync_ranks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StageState:
    """What a stage holds whatever the micro-batch. Columns of shape (n,) [bytes]."""

    parameters_bytes: Floats
    gradients_bytes: Floats
    optimizer_bytes: Floats
    copied_bytes: Floats
    """Gradients as the optimizer's step copies them, when activations are gone."""
    gathered_bytes: Floats
    summed_bytes: Floats
    """Gradients where a step has several micro-batches: whole, if they are reduced only once."""
    standing_bytes: Floats
    """Parameters then: those that a pipeline does not shard again between micro-batches too."""
    summed_gathered_bytes: Floats
    """What is gathered then: one unit's whole gradient is among those."""

    def held_gradients(self, micro_batches: Numeric) -> Floats:
        """Return the gradients that a step holds, shape (n,) [bytes]."""
        return np.where(micro_batches > 1, self.summed_bytes, self.gradients_bytes)

    def held_parameters(self, micro_batches: Numeric) -> Floats:
        """Return the parameters that a step holds, shape (n,) [bytes]."""
        return np.where(micro_batches > 1, self.standing_bytes, self.parameters_bytes)

    def held_gathered(self, micro_batches: Numeric) -> Floats:
        """Return what a step holds gathered, shape (n,) [bytes]."""
        return np.where(micro_batches > 1, self.summed_gathered_bytes, self.gathered_bytes)

    def gather(self, rows: Ints) -> "StageState":
        """Return some rows."""
        return StageState(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def comes_last(software: Software, micro_batches: Numeric) -> Bools:
    """Return where gradients are made while activations go, and are freed with the step [1]."""
    return np.asarray(software.frees_gradients & (np.asarray(micro_batches) <= 1))


def reduces_every(software: Software, table: LayoutTable) -> Bools:
    """Return where ZeRO-2/3 reduce gradients in every micro-batch, shape (n,); else only once."""
    once = software.pipelines_reduce_once & (table.pp > 1)
    return np.asarray((table.zero > 1) & software.zero2_every_micro_batch & ~once)


def stays_gathered(software: Software, table: LayoutTable) -> Bools:
    """Return where weights that ZeRO-3 gathered stay so after backward passes, shape (n,).

    In pipelines of PyTorch: ``torch.distributed.pipelining`` does not reshard after backward passes
    (``set_reshard_after_backward(False)``, torch/distributed/pipelining/stage.py); it reduces when
    the last one is over (``run_post_backward``).
    """
    return np.asarray((table.zero > 2) & (table.pp > 1) & software.pipelines_reduce_once)


def gathering_passes(
    software: Software, table: LayoutTable, micro_batches: Floats
) -> tuple[Floats, Floats]:
    r"""Return how many passes, forward and backward, gather weights under ZeRO-3 [1].

    .. math:: (m, m), \quad (1, 0) \text{ where they stay gathered}, \quad
       (k, m - k + 1), \; k = \min(m, p) \text{ where each forward pass shards them again}

    torchtitan's stages do not (``reshard_after_forward = not pp_enabled``,
    torchtitan/models/llama3/infra/parallelize.py at 018740b). Where they do, a pass finds the
    weights gathered that follows a backward pass, and no other does: what fills the pipeline
    gathers, *k* forward passes on the first stage, and of the *m* backward passes all that follow a
    forward pass. The *k - 1* last ones, which empty the pipeline, follow each other. With fewer to
    fill it, later stages gather as often in all.

    Parameters
    ----------
    software
        What its pipelines do.
    table
        ZeRO stage, pp (*p*).
    micro_batches
        *m*.
    """
    stays = stays_gathered(software, table)
    some, again = np.ones(len(table)), np.zeros(len(table))
    if software.pipelines_reshard:
        some = np.minimum(micro_batches, table.pp)
        again = micro_batches - some + 1
    return np.where(stays, some, micro_batches), np.where(stays, again, micro_batches)


def stage_state(context: Context, table: LayoutTable, params: StageParams) -> StageState:
    """Return model states after ZeRO (S. Rajbhandari et al., arXiv:1910.02054, section 5).

    ZeRO-2 and 3 shard gradients when they are reduced. Where that is not in every micro-batch,
    they are summed whole, in the type of the reduction: PyTorch FSDP2,
    ``unsharded_accumulated_grad`` of torch/distributed/fsdp/_fully_shard/_fsdp_param.py. Its
    pipelines leave gathered parameters so until the last micro-batch's backward pass.
    """
    precision, optimizer = context.work.precision, context.work.optimizer
    replicas, expert_replicas = sync_ranks(table)
    shard = np.minimum(table.shard, replicas)
    expert_shard = np.maximum(np.minimum(table.shard, expert_replicas), 1)
    own, routed = params.blocks + params.ends, params.experts
    cut = own / shard + routed / expert_shard
    software = context.software
    copied = np.where((replicas > 1) & (table.zero < 2), software.reduced_copy_bytes, 0.0)
    gradient = precision.gradient_bytes or software.gradient_bytes + copied
    state_bytes = optimizer.state_bytes or precision.state_bytes
    states = precision.master_bytes + optimizer.states * state_bytes
    unsharded = software.whole_master * precision.master_bytes

    def held(from_stage: int) -> Floats:
        return np.asarray(np.where(table.zero >= from_stage, cut, own + routed))

    copy = held(1) * (0.0 if precision.gradient_bytes else software.gradient_copy_bytes)
    reduced = held(2) * gradient
    once = ~reduces_every(software, table)
    whole = (table.zero >= 2) & once
    summed = (own + routed) * software.reduce_bytes
    stands = stays_gathered(software, table)
    weights = held(3) * precision.weight_bytes
    unit = _gathered_bytes(context, table, params, alone=once)
    return StageState(
        parameters_bytes=weights,
        standing_bytes=weights + np.where(stands, (own + routed) * precision.weight_bytes, 0.0),
        gradients_bytes=reduced,
        summed_bytes=np.where(whole, summed, reduced),
        optimizer_bytes=(held(1) * (states - unsharded) + (own + routed) * unsharded)
        * (1 - table.offload),
        copied_bytes=copy,
        gathered_bytes=column(_gathered_bytes(context, table, params), len(table)),
        summed_gathered_bytes=np.where(stands, 0.0, unit),
    )


def _gathered_bytes(
    context: Context, table: LayoutTable, params: StageParams, *, alone: Bools | bool = False
) -> Numeric:
    r"""Bytes of parameters that ZeRO-3 holds gathered, and of a block's whole gradient [bytes].

    .. math:: w (P_{block} + P_{max}) + r P_{block}, \quad P_{max} = \max(P_{block}, P_{ends})

    The next unit is prefetched while one computes (arXiv:2304.11277, section 3.3). The gradient of
    the ends is whole when all activations are gone.

    Parameters
    ----------
    context
        Bytes per weight *w* and per reduced gradient *r*.
    table
        ZeRO stage.
    params
        The stage's parameters.
    alone
        Where without the gradient: all are whole anyway.
    """
    weight = context.work.precision.weight_bytes
    reduce = np.where(alone, 0.0, context.software.reduce_bytes)
    block = params.largest_block + params.largest_experts
    largest = np.maximum(block, params.ends)
    return np.where(table.zero > 2, weight * (block + largest) + reduce * block, 0.0)
