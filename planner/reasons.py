"""Why a plan stands where it does, in a few words."""

from collections.abc import Mapping
from typing import Final, Literal

from plan3d.simulator.result import Estimate, EstimateTable

TERMS: Final[Mapping[str, str]] = {
    "matmul_s": "matrix products",
    "attention_s": "attention",
    "elementwise_s": "element-wise work",
    "dispatch_s": "waiting for the CPU",
    "recompute_s": "recomputation",
    "ends_s": "embedding and loss",
    "tp_comm_s": "TP communication",
    "cp_comm_s": "CP communication",
    "ep_comm_s": "EP communication",
    "pp_comm_s": "PP communication",
    "bubble_s": "pipeline bubble",
    "dp_comm_s": "DP communication",
    "optimizer_s": "optimizer",
    "offload_s": "offload",
    "overhead_s": "stragglers and fixed cost",
    "parameters_bytes": "parameters",
    "gradients_bytes": "gradients",
    "optimizer_bytes": "optimizer states",
    "activations_bytes": "activations",
    "logits_bytes": "logits",
    "transient_bytes": "working set",
    "buckets_bytes": "communication buckets",
    "context_bytes": "CUDA context",
    "margin_bytes": "fragmentation",
}
"""What each term of a breakdown is called."""

WORTH_SAYING: Final = 0.005
"""Smallest difference that is named, of the whole. [1]"""

GIB: Final = 2.0**30

Breakdown = Literal["time", "memory"]


def why_best(best: Estimate, breakdown: Breakdown) -> str:
    """Return what the best plan spends its time or memory on."""
    terms = _terms(best, breakdown)
    total = sum(terms.values())
    largest = sorted(terms, key=lambda name: -terms[name])[:3]
    shares = {name: terms[name] / total for name in largest}
    said = [f"{share:.0%} {TERMS[name]}" for name, share in shares.items() if share >= WORTH_SAYING]
    return f"best: {', '.join(said)}"


def why_behind(plan: Estimate, best: Estimate, breakdown: Breakdown) -> str:
    """Return which terms make a plan better or worse than the best, largest first."""
    change = changes(plan, best, breakdown)
    largest = sorted(change, key=lambda name: -abs(change[name]))[:3]
    said = [f"{change[n]:+.1%} {TERMS[n]}" for n in largest if abs(change[n]) >= WORTH_SAYING]
    return f"{sum(change.values()):+.1%}: {', '.join(said) or 'no term differs by much'}"


def changes(plan: Estimate, best: Estimate, breakdown: Breakdown) -> dict[str, float]:
    """Return by how much each term differs from the best's, over the best's total [1]."""
    mine, other = _terms(plan, breakdown), _terms(best, breakdown)
    total = sum(other.values())
    return {name: (mine[name] - other[name]) / total for name in mine}


def why_on_front(plan: Estimate, fastest: Estimate) -> str:
    """Return what a plan of the front trades against the fastest."""
    saved_gib = (fastest.memory_bytes - plan.memory_bytes) / GIB
    slower = plan.step_time_s / fastest.step_time_s - 1
    return f"{saved_gib:,.1f} GiB less for {slower:.1%} more time"


def _terms(estimate: Estimate, breakdown: Breakdown) -> dict[str, float]:
    """Return the terms of one breakdown."""
    names = EstimateTable.TIME if breakdown == "time" else EstimateTable.MEMORY
    part = estimate.time if breakdown == "time" else estimate.memory
    return {name: getattr(part, name) for name in names}
