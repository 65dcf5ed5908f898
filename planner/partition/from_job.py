"""The partition problem of a job and a layout, from the analytical cost model."""

from dataclasses import replace

import numpy as np

from plan3d.planner.frameworks import Framework, lacking
from plan3d.planner.partition.problem import Devices, Layers, Problem
from plan3d.planner.result import Job
from plan3d.simulator.activations import block_activations
from plan3d.simulator.block import block_time
from plan3d.simulator.context import Context
from plan3d.simulator.ends import end_time, loss_columns
from plan3d.simulator.errors import InputError
from plan3d.simulator.estimate import estimate
from plan3d.simulator.layout import Layout, LayoutTable, Recompute, Schedule
from plan3d.simulator.legality import Reason, explain, reasons
from plan3d.simulator.memory import logits_bytes
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.model_states import comes_last, stage_state
from plan3d.simulator.numeric import Floats
from plan3d.simulator.pipeline import in_flight
from plan3d.simulator.stage_params import StageParams, stage_params
from plan3d.simulator.step_time import BlockCosts, fill_s

OPTIONS = ("none", "selective", "full")
"""What a layer can recompute: the names and values of `simulator.layout.Recompute`."""

SCHEDULES = (Schedule.ONE_F_ONE_B, Schedule.GPIPE, Schedule.INTERLEAVED)
"""Schedules whose step time is that of `cost.evaluate`."""


def partition_problem(job: Job, layout: Layout) -> Problem:
    """Return the problem whose even split costs what `simulator.estimate` says.

    Layers, ends and memory are those of the cost model, by kind of layer. What the step takes
    beside them (gradient exchange, transfers between stages, optimizer, stragglers) is taken from
    the estimate of the layout as it is, whatever the partition.
    """
    if layout.schedule not in SCHEDULES:
        raise InputError(
            f"the step time of uneven stages is known for {', '.join(s.name for s in SCHEDULES)}, "
            f"not for {layout.schedule.name}; leave schedule= out, or take vpp > 1"
        )
    table = LayoutTable.of([layout])
    context = Context(model=job.model, work=job.work, cluster=job.cluster, software=job.software)
    micro_batches = job.work.global_batch / (layout.dp * layout.micro_batch)
    kinds = {
        moe: _layer(context, table, micro_batches, moe=moe) for moe in set(layer_is_moe(job.model))
    }
    each = [kinds[moe] for moe in layer_is_moe(job.model)]
    layers = Layers(
        options=OPTIONS,
        **{name: np.array([layer[name] for layer in each]) for name in each[0]},
    )
    return Problem(
        layers=layers,
        devices=_devices(context, layout, layers, micro_batches),
        device_of=np.tile(np.arange(layout.pp), layout.vpp),
        micro_batches=micro_batches,
        cut_s=np.zeros(job.model.layers + 1),
        fixed_s=_fixed_s(context, layout),
    )


def check_layout(job: Job, layout: Layout, framework: Framework) -> None:
    """Refuse a layout that cannot run, whatever its stages hold: they need not be even here.

    Raises
    ------
    InputError
        If the layout breaks a rule: with all that it breaks, and what would work.
    """
    chunks = layout.pp * layout.vpp
    if chunks > job.model.layers:
        raise InputError(
            f"pp * vpp = {chunks} pipeline stages are more than the {job.model.layers} layers of "
            f"{job.model.name}; use at most {job.model.layers}"
        )
    flags = reasons(job.model, job.work, job.cluster, job.gpus, LayoutTable.of([layout]))[0]
    allowed = Reason.UNEVEN | Reason.LOST_LAYERS | framework.tolerates
    # Uneven stages are what this is about, and recompute is chosen here.
    broken = Reason(int(flags)) & ~(allowed | Reason.RECOMPUTE)
    missing = lacking(framework, replace(layout, recompute=Recompute.NONE))
    why = [
        *explain(broken),
        *(f"{text}; --framework any takes it all the same" for text in missing),
    ]
    if why:
        raise InputError(
            f"{job.model.name} cannot run as {layout} on {job.gpus:,} GPUs:"
            + "".join(f"\n  - {text}" for text in why)
        )


def layer_is_moe(model: ModelSpec) -> list[bool]:
    """Return whether each layer has experts: dense ones first, then every k-th (`Experts`)."""
    experts = model.experts
    if experts is None:
        return [False] * model.layers
    after = (i - experts.dense_first + 1 for i in range(model.layers))
    return [i > 0 and i % experts.every == 0 for i in after]


def _of_kind(model: ModelSpec, *, moe: bool) -> ModelSpec:
    """Return the model with all layers of one kind."""
    if model.experts is None or not moe:
        return replace(model, experts=None)
    return replace(model, experts=replace(model.experts, dense_first=0, every=1))


def _layer(
    context: Context, table: LayoutTable, micro_batches: float, *, moe: bool
) -> dict[str, Floats]:
    """Return one layer's fields of `Layers`."""
    kind = replace(context, model=_of_kind(context.model, moe=moe))
    costs = BlockCosts.of(context.software, block_time(kind, table), end_time(kind, table))
    kept = block_activations(kind, table)
    params = stage_params(kind.model, kind.software, table, 1.0, first=False, last=False)
    backward, work = costs.backward_s, kept.working_bytes
    over = 1 + context.software.memory_margin
    return {
        "forward_s": costs.forward_s[0],
        "backward_s": np.concatenate(
            [backward, backward + costs.selective_s, backward + costs.replay_s]
        ),
        "state_bytes": _held_bytes(kind, table, params, micro_batches),
        "kept_bytes": over
        * np.concatenate([kept.whole_bytes, kept.selective_bytes, kept.input_bytes]),
        "working_bytes": over
        * np.concatenate(
            [work, work + kept.whole_bytes - kept.selective_bytes, work + kept.whole_bytes]
        ),
        "host_bytes": np.zeros(len(OPTIONS)),
    }


def _held_bytes(
    context: Context, table: LayoutTable, params: StageParams, micro_batches: float
) -> Floats:
    """Return parameters, gradients and optimizer states beside activations [bytes]."""
    state = stage_state(context, table, params)
    made = comes_last(context.software, micro_batches)
    gradients = np.where(made, 0.0, state.held_gradients(micro_batches))
    held = state.held_parameters(micro_batches) + gradients + state.optimizer_bytes
    return np.asarray(held[0])


def _devices(context: Context, layout: Layout, layers: Layers, micro_batches: float) -> Devices:
    """Return what each device has beside layers."""
    software, table = context.software, LayoutTable.of([layout])
    stage = np.arange(float(layout.pp))
    flying = np.asarray(
        in_flight(stage, float(layout.pp), float(layout.vpp), micro_batches, float(layout.schedule))
    )
    ends, extra = end_time(context, table), np.zeros(layout.pp)
    extra[0] += ends.first_s[0]
    extra[-1] += ends.last_s[0]
    columns = loss_columns(context.model, software, table)
    loss = np.zeros(layout.pp)
    loss[-1] = np.asarray(logits_bytes(context, table, columns))[0]
    kept, over = block_activations(context, table), 1 + software.memory_margin
    held = np.zeros(layout.pp)
    moving = np.full(layout.pp, software.whole_buffers * kept.gathered_bytes[0])
    for i in range(layout.pp):
        params = stage_params(
            context.model, software, table, 0.0, first=i == 0, last=i == layout.pp - 1
        )
        moving[i] += stage_state(context, table, params).held_gathered(micro_batches)[0]
        held[i] = _held_bytes(context, table, params, micro_batches)
    moving[0] += flying[0] * kept.embedding_bytes[0]
    moving[-1] += kept.head_bytes[0]
    if software.loss_apart and micro_batches > 1:
        moving, loss = moving + loss, np.zeros(layout.pp)
    left = software.logits_kept * loss
    moving, loss = moving + left, loss - left
    held = held + _beyond_bytes(context, layout, layers, micro_batches, flying, moving, loss)
    if layout.dp * layout.cp > 1:
        held = held + software.bucket_bytes
    gpu = context.cluster.gpu
    return Devices(
        extra_s=extra,
        fixed_bytes=held + over * moving + gpu.context_bytes,
        in_flight=flying,
        capacity_bytes=np.full(layout.pp, gpu.memory_bytes),
        loss_bytes=over * loss,
    )


def _beyond_bytes(
    context: Context, layout: Layout, layers: Layers, micro_batches: float,
    flying: Floats, moving: Floats, loss: Floats,
) -> Floats:  # fmt: skip
    """Return what comes when activations are gone, and is more than those, shape (p,) [bytes].

    That of an even split, under the option that keeps least: activations of other options are more.
    """
    software, table = context.software, LayoutTable.of([layout])
    over, share = 1 + software.memory_margin, len(layers) / layout.pp
    least = np.min(
        [
            flying * share * layers.kept_bytes[:, r].mean() / over
            + np.maximum(layers.working_bytes[:, r].max() / over, loss)
            for r in range(len(layers.options))
        ],
        axis=0,
    )  # fmt: skip
    found = np.zeros(layout.pp)
    for i in range(layout.pp):
        params = stage_params(
            context.model, software, table, share, first=i == 0, last=i == layout.pp - 1
        )
        state = stage_state(context, table, params)
        made = np.where(
            comes_last(software, micro_batches), state.held_gradients(micro_batches), 0.0
        )
        found[i] = (state.copied_bytes + made)[0]
    beyond: Floats = np.maximum(found - moving - least, 0.0)
    return beyond


def _fixed_s(context: Context, layout: Layout) -> float:
    """Return what a step takes beside its stages, from the layout's estimate [s].

    The first and last micro-batch pass each cut once: `simulator.step_time` counts these sends
    with the bubble.
    """
    found = estimate(context.model, context.work, context.cluster, context.software, layout)
    time, fill = found.time, fill_s(context, LayoutTable.of([layout]))[0]
    beside = time.dp_comm_s + time.optimizer_s + time.offload_s + time.overhead_s
    return time.pp_comm_s + float(fill) + beside
