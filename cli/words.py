"""The words for what the library names, and the way numbers are written."""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from plan3d.planner.constraints import WORDS
from plan3d.simulator.layout import FIELDS, Layout, Recompute, Schedule

GIB: Final = 2.0**30

TIME: Final[Mapping[str, str]] = {
    "matmul_s": "matrix products",
    "attention_s": "attention core",
    "elementwise_s": "element-wise kernels",
    "dispatch_s": "waiting for kernel launches",
    "recompute_s": "recomputation",
    "ends_s": "embedding, logits and loss",
    "tp_comm_s": "tensor-parallel communication",
    "cp_comm_s": "context-parallel communication",
    "ep_comm_s": "expert-parallel communication",
    "pp_comm_s": "pipeline communication",
    "bubble_s": "pipeline bubble",
    "dp_comm_s": "data-parallel communication",
    "optimizer_s": "optimizer",
    "offload_s": "offloading",
    "overhead_s": "stragglers, contention, fixed cost",
}
"""The terms of `StepTime`."""

LINKS: Final[Mapping[str, str]] = {
    "tp": "tensor parallel",
    "cp": "context parallel",
    "ep": "expert parallel",
    "pp": "pipeline",
    "dp": "data parallel",
}
"""The kinds of communication: of `StepTime` (exposed) and of `LinkTime` (on the link)."""

MEMORY: Final[Mapping[str, str]] = {
    "parameters_bytes": "parameters",
    "gradients_bytes": "gradients",
    "optimizer_bytes": "optimizer states",
    "activations_bytes": "activations kept for backward",
    "logits_bytes": "logits and loss",
    "transient_bytes": "working set of a block",
    "buckets_bytes": "communication buckets",
    "context_bytes": "CUDA context and libraries",
    "margin_bytes": "fragmentation margin",
}
"""The terms of `Memory`."""


def seconds(value_s: float) -> str:
    """Write a time with the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value_s >= size:
            return f"{value_s / size:,.4g} {unit}"
    return "0 s"


def unit_of_s(value_s: float) -> tuple[str, float]:
    """Return the unit that suits a time, and its size [s]."""
    return next(
        ((unit, size) for unit, size in (("s", 1.0), ("ms", 1e-3)) if value_s >= size), ("us", 1e-6)
    )


def seconds_between(low_s: float, high_s: float) -> str:
    """Write an interval of times, both ends in the unit that suits the upper one."""
    unit, size = unit_of_s(high_s)
    return f"{_three(low_s / size)}-{_three(high_s / size)} {unit}"


def _three(value: float) -> str:
    """Write a number with three digits, or more where it has more before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def gib(value_bytes: float) -> str:
    """Write a memory size in GiB."""
    return f"{value_bytes / GIB:.1f}"


def percent(fraction: float) -> str:
    """Write a fraction as a percentage."""
    return f"{100 * fraction:.1f} %"


def hourly(usd_per_s: float) -> str:
    """Write a rent per hour, in USD."""
    return f"{usd_per_s * 3600:.2f}"


def short(value: float) -> str:
    """Write a count the way people say it: 300 B, 175.2 B, 1.5 T."""
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if value >= size:
            return f"{value / size:,.4g} {unit}"
    return f"{value:,.0f}"


def plain(value: object) -> object:
    """Return a value as files write it: numpy's as Python's, nothing for what is not finite."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def spelled(layout: Layout) -> dict[str, float | str]:
    """Return a layout's axes, what has a name by its name."""
    value = {name: getattr(layout, name) for name in FIELDS}
    words = {a: next(w for w, v in names.items() if v == value[a]) for a, names in WORDS.items()}
    return value | words


def as_option(layout: Layout) -> str:
    """Write a layout as `--layout` takes it."""
    always = ["tp", "pp", "dp", "micro_batch", *["sp"] * (layout.tp > 1)]
    always += ["zero", "shard"] * (layout.zero > 0)
    always += ["etp"] * (layout.tp > 1 and layout.ep > 1)  # tp if left out, in some frameworks
    value, default = spelled(layout), spelled(Layout())
    others = [name for name in FIELDS if name not in always and value[name] != default[name]]
    return ",".join(f"{name}={value[name]}" for name in (*always, *others))


def brief(layout: Layout) -> str:
    """Write a layout in a few words: what follows from the rest is left out."""
    parts = [f"tp{layout.tp}", f"pp{layout.pp}", f"dp{layout.dp}"]
    parts += [
        f"{name}{getattr(layout, name)}"
        for name in ("cp", "ep", "etp", "vpp")
        if getattr(layout, name) > 1
    ]
    parts.append(f"mb{layout.micro_batch}")
    if layout.zero:
        whole = layout.shard == layout.dp * layout.cp
        parts.append(f"zero{layout.zero}" + ("" if whole else f"/{layout.shard}"))
    parts += ["sp"] * layout.sp
    parts += ["ulysses"] * (layout.cp > 1 and bool(layout.cp_all_to_all))
    if layout.recompute == Recompute.BLOCK:
        parts.append(f"recompute-{layout.recompute_layers}")
    elif layout.recompute != Recompute.NONE:
        parts.append(layout.recompute.name.lower())
    if layout.schedule not in (Schedule.ONE_F_ONE_B, Schedule.INTERLEAVED) and layout.pp > 1:
        parts.append(layout.schedule.name.lower().replace("_", "-"))
    parts += [
        f"no-{name}"
        for name in ("tp_overlap", "dp_overlap", "pp_overlap")
        if not getattr(layout, name)
    ]
    parts += [f"offload{layout.offload:g}"] * bool(layout.offload)
    parts += ["pp-inside-dp"] * bool(layout.order)
    return " ".join(parts)
