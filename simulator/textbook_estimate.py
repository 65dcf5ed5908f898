"""The textbook fidelity: one step of many layouts by the closed forms alone.

It answers at the interface of `plan3d.simulator.estimate`, knows no kernel, no overlap and no
latency, and is meant for teaching and for cross-checking. What it assumes:

- one utilisation for all computation, `UTILISATION`;
- traffic over bandwidth, all of it exposed: `Cluster.node` inside a node, the line rate of the
  adapters outside;
- 12 l h^2 + 2 v h parameters, spread evenly over tp * pp ranks: dense models only.
"""

from typing import Final

import numpy as np

from plan3d.simulator.errors import InputError
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.kernels import peak
from plan3d.simulator.layout import LayoutTable, Order, Recompute, Schedule
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.numeric import Floats, Numeric, column
from plan3d.simulator.placement import Group, place
from plan3d.simulator.result import EstimateTable
from plan3d.simulator.textbook import (
    bubble_fraction,
    parameters,
    recompute_factor,
    training_flop,
    training_time_s,
)
from plan3d.simulator.textbook_memory import (
    activation_bytes,
    gradient_bytes_per_parameter,
    optimizer_bytes_per_parameter,
    zero_share,
)
from plan3d.simulator.textbook_traffic import (
    boundary_bytes,
    gradient_sync_bytes,
    ring_attention_bytes,
    tensor_parallel_bytes,
    zero_traffic_bytes,
)
from plan3d.simulator.workload import Workload

UTILISATION: Final = 0.5
"""Share of the peak that computation reaches. The lecture's 30-55 % for whole runs (K. Yuan, 2024,
part 2) includes bubble and communication, which are terms of their own here: near its top. [1]"""


def textbook_table(
    model: ModelSpec, work: Workload, cluster: Cluster, table: LayoutTable
) -> EstimateTable:
    """Estimate one step for every layout of a table, by closed forms.

    Raises
    ------
    InputError
        If the model has experts or latent attention: the closed forms know neither.
    """
    if model.experts is not None or model.latent is not None:
        raise InputError(
            f"model {model.name} has experts or latent attention, but the textbook fidelity "
            "knows dense models with plain attention only; use the analytical fidelity"
        )
    params = float(parameters(model.layers, model.hidden, model.vocab))
    recompute = _recompute_share(model, table)
    compute = _compute_s(params, work, cluster, table, recompute)
    links = _link_s(model, work, cluster, table)
    exposed = {name.replace("_link_s", "_comm_s"): link_s for name, link_s in links.items()}
    memory = _columns(EstimateTable.MEMORY, table, _memory_bytes(model, work, table))
    return EstimateTable(
        time=_columns(EstimateTable.TIME, table, compute | exposed),
        link=_columns(EstimateTable.LINK, table, links),
        memory=memory,
        stage=np.zeros(len(table)),
        first_stage=memory,
        hardware_flop=np.asarray(training_flop(params, work.tokens, recompute), np.float64),
        gpus=_gpus(table),
        model_flop=float(training_flop(params, work.tokens, 0.0)),
        capacity_bytes=cluster.gpu.memory_bytes,
        peak_flop_per_s=peak(cluster.gpu.peaks, work.precision.matmul),
        tokens=float(work.tokens),
    )


def _columns(
    names: tuple[str, ...], table: LayoutTable, given: dict[str, Numeric]
) -> dict[str, Floats]:
    """Give every term a column; those that textbooks leave out are zero."""
    return {name: column(given.get(name, 0.0), len(table)) for name in names}


def _gpus(table: LayoutTable) -> Floats:
    return table.tp * table.cp * table.dp * table.pp


def _micro_batches(work: Workload, table: LayoutTable) -> Floats:
    return work.global_batch / (table.dp * table.micro_batch)


def _recompute_share(model: ModelSpec, table: LayoutTable) -> Floats:
    """Share of the forward pass that is done again (the attention core counts for nothing)."""
    some = np.minimum(table.recompute_layers * table.pp / model.layers, 1.0)
    share = np.where(table.recompute == Recompute.BLOCK, some, 0.0)
    return np.where(table.recompute == Recompute.FULL, 1.0, share)


def _compute_s(
    params: float, work: Workload, cluster: Cluster, table: LayoutTable, recompute: Floats
) -> dict[str, Numeric]:
    """6TP / (NFU), what recomputation adds to it, and the bubble of both."""
    rate = peak(cluster.gpu.peaks, work.precision.matmul)
    base_s = training_time_s(params, work.tokens, _gpus(table), rate, UTILISATION, recompute=0.0)
    all_s = base_s * recompute_factor(recompute)
    idle = bubble_fraction(table.pp, _micro_batches(work, table), table.vpp)
    return {"matmul_s": base_s, "recompute_s": all_s - base_s, "bubble_s": all_s * idle}


def _link_s(
    model: ModelSpec, work: Workload, cluster: Cluster, table: LayoutTable
) -> dict[str, Numeric]:
    """Traffic of each kind over the bandwidth of the links that its group spans."""
    batches, layers = _micro_batches(work, table), model.layers / table.pp
    width = work.precision.activation_bytes
    cut = boundary_bytes(table.micro_batch, work.seq / table.cp, model.hidden, width)
    keys = boundary_bytes(table.micro_batch, work.seq, model.kv_heads * model.head_dim, width)
    again = _recompute_share(model, table)
    sent = {
        "tp": batches * tensor_parallel_bytes(layers, cut, table.tp, again),
        "cp": batches * ring_attention_bytes(layers, keys / table.tp, table.cp),
        "pp": np.where(table.pp > 1, 2 * batches * table.vpp * cut, 0.0),
        "dp": _gradient_bytes(model, work, table),
    }
    pp_first = table.order == Order.TP_CP_EP_PP_DP
    inner = table.tp * table.cp
    groups: dict[str, tuple[Numeric, Numeric]] = {  # size, and stride on the rank grid
        "tp": (table.tp, 1.0),
        "cp": (table.cp, table.tp),
        "pp": (table.pp, inner * np.where(pp_first, 1.0, table.dp)),
        "dp": (table.dp * table.cp, table.tp * np.where(pp_first, table.pp, 1.0)),
    }
    return {
        f"{axis}_link_s": sent[axis] / _bytes_per_s(place(*group, cluster.gpus_per_node), cluster)
        for axis, group in groups.items()
    }


def _bytes_per_s(group: Group, cluster: Cluster) -> Floats:
    """Bandwidth of a ring: between nodes, of the adapters that the group has in one of them."""
    inside = cluster.node.all_reduce_bytes_per_s
    outside = np.minimum(inside, group.local * cluster.network.nic_bytes_per_s)
    return np.where(np.asarray(group.nodes) > 1, outside, inside)


def _gradient_bytes(model: ModelSpec, work: Workload, table: LayoutTable) -> Floats:
    """2 Psi for replicas (less where they synchronise sparsely), 3 Psi for ZeRO-3 [bytes]."""
    params = parameters(model.layers, model.hidden, model.vocab) / (table.tp * table.pp)
    ranks, width, sync = table.dp * table.cp, work.precision.weight_bytes, work.sync
    replicas = gradient_sync_bytes(
        params * gradient_bytes_per_parameter(work.precision), ranks,
        sync.compression, sync.every, sync.neighbours,
    )  # fmt: skip
    return np.where(table.zero >= 3, zero_traffic_bytes(params, 3, ranks, width), replicas)


def _memory_bytes(model: ModelSpec, work: Workload, table: LayoutTable) -> dict[str, Numeric]:
    """Model state by ZeRO stage, and activations of the micro-batches in flight."""
    precision, zero, shard = work.precision, table.zero, table.shard
    params = parameters(model.layers, model.hidden, model.vocab) / (table.tp * table.pp)
    kept = optimizer_bytes_per_parameter(precision, work.optimizer) * (1 - table.offload)
    block = 12 * model.hidden**2 / table.tp * precision.weight_bytes

    batches = _micro_batches(work, table)
    flight = np.where(table.schedule == Schedule.GPIPE, batches, np.minimum(table.pp, batches))
    width = precision.activation_bytes
    heads = np.where(table.recompute == Recompute.SELECTIVE, 0.0, model.heads)
    layer = activation_bytes(
        1.0, table.micro_batch, work.seq, model.hidden, heads, number_bytes=width
    ) / (table.tp * table.cp)
    entry = boundary_bytes(table.micro_batch, work.seq, model.hidden, width) / table.cp
    again = _recompute_share(model, table)
    return {
        "parameters_bytes": params * precision.weight_bytes * zero_share(zero, 3, shard),
        "gradients_bytes": params
        * gradient_bytes_per_parameter(precision)
        * zero_share(zero, 2, shard),
        "optimizer_bytes": params * kept * zero_share(zero, 1, shard),
        "activations_bytes": flight
        * (model.layers / table.pp)
        * ((1 - again) * layer + again * entry),
        "transient_bytes": np.where(again > 0, layer, 0.0) + np.where(zero >= 3, block, 0.0),
    }
