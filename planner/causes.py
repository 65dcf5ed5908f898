"""The quantities behind each term of an estimate: what moves, how much of it, and how fast."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from plan3d.planner.constraints import WORDS
from plan3d.planner.result import Job
from plan3d.simulator.kernels import peak
from plan3d.simulator.layout import Layout, Order, Recompute
from plan3d.simulator.parameters import (
    expert_params,
    head_matrix_params,
    matmul_params,
    total_params,
)
from plan3d.simulator.placement import place
from plan3d.simulator.result import Estimate
from plan3d.simulator.textbook_traffic import (
    all_gather_bytes,
    boundary_bytes,
    tensor_parallel_bytes,
)

_SCHEDULES: Final = {value: word for word, value in WORDS["schedule"].items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One estimate, and what it is of."""

    name: str
    job: Job
    layout: Layout
    estimate: Estimate

    @property
    def micro_batches(self) -> float:
        """Micro-batches of a step [1]."""
        return self.job.work.global_batch / (self.layout.dp * self.layout.micro_batch)

    @property
    def stage_layers(self) -> float:
        """Layers of a stage, on average [1]."""
        return self.job.model.layers / self.layout.pp

    @property
    def micro_tokens(self) -> float:
        """Tokens of a micro-batch on one context-parallel rank [tokens]."""
        return self.layout.micro_batch * self.job.work.seq / self.layout.cp

    @property
    def boundary_bytes(self) -> float:
        """Activations between two blocks, of a micro-batch on one rank of cp [bytes]."""
        work = self.job.work
        width = work.precision.activation_bytes
        tokens = self.layout.micro_batch, work.seq / self.layout.cp
        return float(boundary_bytes(*tokens, self.job.model.hidden, width))

    @property
    def gpu_params(self) -> float:
        """Parameters of one GPU before ZeRO, on average [1]."""
        model, layout = self.job.model, self.layout
        routed = model.experts.count * expert_params(model) if model.experts else 0
        experts = routed * model.moe_layers
        dense = (total_params(model) - experts) / layout.tp
        return (dense + experts / (layout.ep * layout.etp)) / layout.pp


def cause(term: str, one: Subject, other: Subject) -> str:
    """Return what is behind a term in one and in the other, or in both."""
    a, b = fact(term, one), fact(term, other)
    return a if a == b else f"{a} -> {b}"


def fact(term: str, of: Subject) -> str:
    """Return the quantities behind a term; nothing where it is 0."""
    if term not in FACTS:
        return ""
    value = getattr(of.estimate.time if term.endswith("_s") else of.estimate.memory, term)
    return FACTS[term](of) if value else "none"


def _matmul(of: Subject) -> str:
    params = matmul_params(of.job.model) - head_matrix_params(of.job.model)
    flop = 6.0 * of.job.work.tokens * params / of.estimate.gpus
    rate = flop / of.estimate.time.matmul_s
    return f"{flop / 1e15:.3g} PFLOP per GPU at {rate / 1e12:,.0f} TFLOP/s"


def _attention(of: Subject) -> str:
    heads = of.job.model.heads / of.layout.tp
    flop = of.estimate.model_flop - 6.0 * of.job.work.tokens * matmul_params(of.job.model)
    rate = flop / of.estimate.gpus / of.estimate.time.attention_s
    tokens = of.job.work.seq / of.layout.cp
    return f"{heads:g} heads, {tokens:,.0f} tokens per GPU, at {rate / 1e12:,.0f} TFLOP/s"


def _elementwise(of: Subject) -> str:
    parts = of.layout.tp if of.layout.sp else 1
    rate = of.job.cluster.gpu.hbm_bytes_per_s
    cut = f"over {parts} ranks" if parts > 1 else "whole on each rank"
    return f"{of.micro_tokens:,.0f} tokens {cut}, HBM of {rate / 1e12:.3g} TB/s"


def _dispatch(of: Subject) -> str:
    return f"{of.micro_batches * of.stage_layers:,.0f} blocks per GPU to launch"


def _recompute(of: Subject) -> str:
    some = f" of {of.layout.recompute_layers} layers" if of.layout.recompute_layers else ""
    return f"recompute {of.layout.recompute.name.lower()}{some}"


def _ends(of: Subject) -> str:
    rate = peak(of.job.cluster.gpu.peaks, of.job.work.precision.matmul)
    return (
        f"vocabulary over {of.layout.tp} ranks, {of.micro_batches:,.0f} times, "
        f"peak {rate / 1e12:,.0f} TFLOP/s"
    )


def _tensor(of: Subject) -> str:
    once = tensor_parallel_bytes(of.stage_layers, of.boundary_bytes, of.layout.tp)
    return _traffic(of, "tp", of.layout.tp, 1, float(once) * of.micro_batches)


def _context(of: Subject) -> str:
    kind = "all-to-all" if of.layout.cp_all_to_all else "ring"
    return f"{kind}, {_traffic(of, 'cp', of.layout.cp, of.layout.tp)}"


def _expert(of: Subject) -> str:
    return _traffic(of, "ep", of.layout.ep, of.layout.etp)


def _data(of: Subject) -> str:
    layout, ranks = of.layout, of.layout.dp * of.layout.cp
    inside_pipeline = layout.order == Order.TP_CP_EP_PP_DP
    stride = layout.tp * layout.pp if inside_pipeline else layout.tp
    number = of.job.software.reduce_bytes + of.job.work.precision.weight_bytes
    again = of.job.work.precision.weight_bytes if layout.zero > 2 else 0.0
    size = float(all_gather_bytes(of.gpu_params * (number + again), ranks))
    return _traffic(of, "dp", ranks, stride, size)


def _traffic(of: Subject, kind: str, ranks: int, stride: int, size: float | None = None) -> str:
    """Say over what how many ranks talk, how much, how fast, and how much of it is exposed."""
    nodes = float(np.asarray(place(ranks, stride, of.job.cluster.gpus_per_node).nodes))
    where = "in a node" if nodes <= 1 else f"on {nodes:g} nodes"
    link_s = float(getattr(of.estimate.link, f"{kind}_link_s"))
    exposed_s = float(getattr(of.estimate.time, f"{kind}_comm_s"))
    text = f"{ranks} ranks {where}"
    if size is not None and link_s:
        text += f", {size / 1e9:,.3g} GB per GPU at {size / link_s / 1e9:,.3g} GB/s"
    return f"{text}, {exposed_s / link_s:.0%} exposed" if link_s else text


def _pipeline(of: Subject) -> str:
    layout, times = of.layout, 2 * of.layout.vpp * of.micro_batches
    stride = layout.tp * layout.cp * (1 if layout.order == Order.TP_CP_EP_PP_DP else layout.dp)
    far = stride * layout.pp > of.job.cluster.gpus_per_node
    split = layout.tp if layout.sp or of.job.software.scatter_gather else 1
    size = of.boundary_bytes / split
    where = "between nodes" if far else "in a node"
    return f"{times:,.0f} transfers of {size / 1e6:,.3g} MB {where}"


def _bubble(of: Subject) -> str:
    layout = of.layout
    chunks = f"{layout.vpp} x " if layout.vpp > 1 else ""
    return (
        f"(pp - 1) / (vpp m) = {layout.pp - 1} / ({chunks}{of.micro_batches:,.0f}), "
        f"{_SCHEDULES[layout.schedule]}"
    )


def _optimizer(of: Subject) -> str:
    shard = of.layout.shard if of.layout.zero else 1
    rate = of.job.cluster.gpu.hbm_bytes_per_s
    return f"{of.gpu_params / shard / 1e9:.3g} B parameters per GPU, HBM of {rate / 1e12:.3g} TB/s"


def _offload(of: Subject) -> str:
    rate = of.job.cluster.gpu.host_bytes_per_s
    return f"{of.layout.offload:.0%} of the states over {rate / 1e9:.3g} GB/s"


def _overhead(of: Subject) -> str:
    return f"{-(-of.estimate.gpus // of.job.cluster.gpus_per_node):,} nodes"


def _held(from_stage: int) -> Callable[[Subject], str]:
    """Return what says how many parameters a GPU holds something of, from a ZeRO stage less."""

    def said(of: Subject) -> str:
        cut = of.layout.zero >= from_stage
        over = f", ZeRO over {of.layout.shard}" if cut else ""
        return f"of {of.gpu_params / 1e9:.3g} B parameters{over}"

    return said


def _activations(of: Subject) -> str:
    layout = of.layout
    kept = "" if layout.recompute == Recompute.NONE else f", {_recompute(of)}"
    parts = layout.tp if layout.sp else 1
    return (
        f"{of.micro_tokens:,.0f} tokens x {of.stage_layers:.3g} layers over {parts} "
        f"ranks, pp {layout.pp} of {of.micro_batches:,.0f} micro-batches{kept}"
    )


def _logits(of: Subject) -> str:
    return f"{of.micro_tokens:,.0f} tokens x {of.job.model.vocab / of.layout.tp:,.0f} words"


def _transient(of: Subject) -> str:
    return f"{of.micro_tokens:,.0f} tokens over {of.layout.tp} ranks"


FACTS: Final[Mapping[str, Callable[[Subject], str]]] = {
    "matmul_s": _matmul,
    "attention_s": _attention,
    "elementwise_s": _elementwise,
    "dispatch_s": _dispatch,
    "recompute_s": _recompute,
    "ends_s": _ends,
    "tp_comm_s": _tensor,
    "cp_comm_s": _context,
    "ep_comm_s": _expert,
    "pp_comm_s": _pipeline,
    "bubble_s": _bubble,
    "dp_comm_s": _data,
    "optimizer_s": _optimizer,
    "offload_s": _offload,
    "overhead_s": _overhead,
    "parameters_bytes": _held(3),
    "gradients_bytes": _held(2),
    "optimizer_bytes": _held(1),
    "activations_bytes": _activations,
    "logits_bytes": _logits,
    "transient_bytes": _transient,
}
"""What says the quantities behind each term; the others are fixed costs."""
