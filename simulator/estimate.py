"""Put the formulas together: the estimate of one optimizer step.

The cost of a block depends on few axes, and so does that of keeping replicas in step: both are
computed on the distinct combinations of a table (`unique_rows`) and gathered to its rows.
"""

import numpy as np

from plan3d.simulator.activations import BlockActivations, block_activations
from plan3d.simulator.block import block_time
from plan3d.simulator.block_comm import spans_nodes
from plan3d.simulator.context import Context
from plan3d.simulator.ends import end_time, head_ranks, loss_columns
from plan3d.simulator.flops import model_flop_per_step
from plan3d.simulator.gradient_sync import sync_time
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.kernels import peak
from plan3d.simulator.layout import Layout, LayoutTable, Recompute
from plan3d.simulator.memory import Place, logits_bytes, peak_memory, place_params, places
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.model_states import StageState, stage_state
from plan3d.simulator.module_split import module_stages
from plan3d.simulator.numeric import Floats, column
from plan3d.simulator.optimizer_step import offload_s, optimizer_s
from plan3d.simulator.parameters import head_matrix_params
from plan3d.simulator.pipeline import StageLayers, one_rank_has_both_ends
from plan3d.simulator.result import Estimate, EstimateTable
from plan3d.simulator.software import Software
from plan3d.simulator.step_time import BlockCosts, SyncCosts, recomputed_share, step_time
from plan3d.simulator.unique import unique_rows
from plan3d.simulator.workload import Workload


def estimate(
    model: ModelSpec, work: Workload, cluster: Cluster, software: Software, layout: Layout
) -> Estimate:
    """Estimate one step for one layout: the first row of a table of one."""
    return estimate_table(model, work, cluster, software, LayoutTable.of([layout])).row(0)


def estimate_table(
    model: ModelSpec, work: Workload, cluster: Cluster, software: Software, table: LayoutTable
) -> EstimateTable:
    """Estimate one step for every layout of a table.

    The layouts are taken as they are: whether they are legal is `plan3d.simulator.legality`'s to
    say. Memory is a table of columns per term, a few hundred bytes per layout: cut long tables.
    """
    context = Context(model=model, work=work, cluster=cluster, software=software)
    micro_batches = work.global_batch / (table.dp * table.micro_batch)
    blocks, activations, logits = block_costs(context, table)
    sync, states, stages = _replicas(context, table)
    time, link = step_time(context, table, blocks, sync, stages, micro_batches)
    memory, first = peak_memory(context, table, activations, logits, states, stages, micro_batches)
    flop = model_flop_per_step(model, work)
    return EstimateTable(
        time=time,
        link=link,
        memory=memory.terms,
        stage=memory.stage,
        kept_bytes=memory.kept_bytes,
        first_stage=first.terms,
        hardware_flop=flop * (1 + _replayed_share(context, table, stages.fullest, flop)),
        gpus=table.tp * table.pp * table.dp * table.cp,
        model_flop=flop,
        capacity_bytes=cluster.gpu.memory_bytes,
        peak_flop_per_s=peak(cluster.gpu.peaks, work.precision.matmul),
        tokens=float(work.tokens),
    )


def block_costs(
    context: Context, table: LayoutTable
) -> tuple[BlockCosts, BlockActivations, Floats]:
    """Return what a micro-batch costs in one block and at the ends, gathered to the rows."""
    first, rows = unique_rows(
        table.tp, table.cp, table.ep, table.etp, table.micro_batch, table.sp,
        table.cp_all_to_all, table.tp_overlap, spans_nodes(context, table),
        head_ranks(context.software, table),
    )  # fmt: skip
    few = table.take(first)
    costs = BlockCosts.of(context.software, block_time(context, few), end_time(context, few))
    kept = block_activations(context, few)
    columns = loss_columns(context.model, context.software, few)
    logits = column(logits_bytes(context, few, columns), len(few))
    return costs.gather(rows), kept.gather(rows), logits[rows]


def layers_of_stages(context: Context, table: LayoutTable) -> StageLayers:
    """Return how the software divides the layers among the stages of every row."""
    layers = float(context.model.layers)
    if context.software.modules_in_split:
        return module_stages(layers, table)
    return StageLayers.of(layers, table, context.head_in_layers)


def _replicas(
    context: Context, table: LayoutTable
) -> tuple[SyncCosts, dict[Place, StageState], StageLayers]:
    """Return what a step costs whatever the micro-batch, gathered to the rows."""
    first, rows = unique_rows(
        table.tp, table.pp, table.vpp, table.cp, table.dp, table.ep, table.etp, table.zero,
        table.shard, table.order, table.offload, table.schedule,
    )  # fmt: skip
    few = table.take(first)
    stages = layers_of_stages(context, few)
    spots = places(context, stages)
    params = [place_params(context, few, stages, spot) for spot in spots]
    main = params[1]
    for other in params[2:]:
        main = other.where(other.total > main.total, main)
    main = params[0].where(one_rank_has_both_ends(few), main)
    tied = params[2].tied_copy
    costs = SyncCosts.of(
        sync_time(context, few, main, tied),
        column(optimizer_s(context, few, main), len(few)),
        column(offload_s(context, few, main), len(few)),
    )
    states = {
        spot: stage_state(context, few, part).gather(rows)
        for spot, part in zip(spots, params, strict=True)
    }
    return costs.gather(rows), states, stages.gather(rows)


def _replayed_share(
    context: Context, table: LayoutTable, layers: Floats, model_flop: float
) -> Floats:
    r"""Return the recomputed work over the model's. [1].

    A recomputed block costs its forward pass again: a third of its model FLOPs.
    """
    model, work, software = context.model, context.work, context.software
    forward = model_flop / 3
    head = 2.0 * work.tokens * head_matrix_params(model)
    width = model.heads * (model.qk_dim + model.v_dim)
    core = 2.0 * work.tokens * model.layers * width * min(work.seq, model.window or work.seq)
    blocks = forward - head
    selective = software.selective_attention * core + software.selective_matmul * (blocks - core)
    last = 2.0 * work.tokens * model.dense_layers * model.ffn * model.hidden
    full = (blocks - software.stops_early * last) * recomputed_share(table, layers)
    replayed = np.where(table.recompute == Recompute.SELECTIVE, selective, full)
    return replayed / model_flop
