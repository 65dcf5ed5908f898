"""How a training job is laid over the GPUs: one layout, or a table of them.

Which layouts are legal for a job is `plan3d.simulator.legality`; which there are, `planner.space`.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from enum import IntEnum
from typing import Any, Final

import numpy as np

from plan3d.simulator.errors import InputError
from plan3d.simulator.numeric import Bools, Floats, Ints


class Recompute(IntEnum):
    """What is computed again in the backward pass, instead of being kept."""

    NONE = 0
    SELECTIVE = 1
    """The attention core (Korthikanti et al., arXiv:2205.05198, section 5)."""
    FULL = 2
    """Whole blocks: only their inputs are kept."""
    BLOCK = 3
    """Whole blocks, but only `recompute_layers` of each stage."""


class Schedule(IntEnum):
    """The order of forward and backward passes in a pipeline."""

    GPIPE = 0
    ONE_F_ONE_B = 1
    INTERLEAVED = 2
    LOOPED_BFS = 3
    ZB_H1 = 4
    ZB_H2 = 5
    ZB_V = 6
    DUALPIPE = 7
    DUALPIPE_V = 8


class Order(IntEnum):
    """Placement of the groups on consecutive ranks, innermost first."""

    TP_CP_EP_DP_PP = 0
    TP_CP_EP_PP_DP = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One layout."""

    tp: int = 1
    """Tensor parallelism. [ranks]"""
    pp: int = 1
    """Pipeline stages. [ranks]"""
    dp: int = 1
    """Data parallelism. [ranks]"""
    cp: int = 1
    """Context parallelism. [ranks]"""
    ep: int = 1
    """Expert parallelism, folded into dp, cp and tp. [ranks]"""
    etp: int = 1
    """Tensor parallelism of the experts. [ranks]"""
    vpp: int = 1
    """Model chunks per stage. [1]"""
    micro_batch: int = 1
    """Sequences of one micro-batch. [1]"""
    zero: int = 0
    """ZeRO stage: 0 none, 1 optimizer, 2 and gradients, 3 and parameters."""
    shard: int = 1
    """Ranks over which ZeRO shards: dp * cp, or less (hybrid sharding). [ranks]"""
    sp: int = 0
    """Sequence parallelism beside tp: 0 or 1."""
    recompute: Recompute = Recompute.NONE
    recompute_layers: int = 0
    """Layers of a stage that are recomputed, where `recompute` is BLOCK. [1]"""
    schedule: Schedule = Schedule.ONE_F_ONE_B
    cp_all_to_all: int = 0
    """Context parallelism by all-to-all (Ulysses), not by a ring."""
    tp_overlap: int = 1
    """Tensor-parallel communication overlaps as far as the software can."""
    dp_overlap: int = 1
    """Gradient reduction overlaps as far as the software can."""
    pp_overlap: int = 1
    """Pipeline transfers overlap as far as the software can."""
    offload: float = 0.0
    """Share of the optimizer states that lives in host memory. [1]"""
    order: Order = Order.TP_CP_EP_DP_PP

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            whole = name == "offload" or (number and value == value // 1)
            if not number or not low <= value <= high or not whole:
                kind = "number" if name == "offload" else "whole number"
                raise InputError(
                    f"layout: {name} is {value!r}, but must be a {kind} from {low:,} to {high:,}"
                )

    @property
    def gpus(self) -> int:
        """GPUs that the layout takes: ep and etp fold into dp, cp and tp."""
        return self.tp * self.pp * self.dp * self.cp

    def __str__(self) -> str:
        default = Layout()
        shown = {
            k: v.name.lower() if isinstance(v, IntEnum) else v
            for k, v in asdict(self).items()
            if k in ("tp", "pp", "dp", "micro_batch") or v != getattr(default, k)
        }
        return " ".join(f"{k}={v}" for k, v in shown.items())


DEGREES = ("tp", "pp", "dp", "cp", "ep", "etp", "vpp", "micro_batch", "shard")
FIELDS = tuple(f.name for f in fields(Layout))
RANGES: Final = {
    **dict.fromkeys(DEGREES, (1, 10**7)),
    "zero": (0, 3),
    **dict.fromkeys(("sp", "cp_all_to_all", "tp_overlap", "dp_overlap", "pp_overlap"), (0, 1)),
    "recompute": (0, len(Recompute) - 1),
    "recompute_layers": (0, 10**7),
    "schedule": (0, len(Schedule) - 1),
    "offload": (0, 1),
    "order": (0, len(Order) - 1),
}
"""What each field may be."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayoutTable:
    """Many layouts, as columns of shape (n,) with the field names of `Layout`.

    The columns are float64: products such as FLOP counts pass 2**63, where int64 wraps silently.
    """

    tp: Floats
    pp: Floats
    dp: Floats
    cp: Floats
    ep: Floats
    etp: Floats
    vpp: Floats
    micro_batch: Floats
    zero: Floats
    shard: Floats
    sp: Floats
    recompute: Floats
    recompute_layers: Floats
    schedule: Floats
    cp_all_to_all: Floats
    tp_overlap: Floats
    dp_overlap: Floats
    pp_overlap: Floats
    offload: Floats
    order: Floats

    @classmethod
    def of(cls, layouts: Iterable[Layout]) -> "LayoutTable":
        """Turn layouts into columns."""
        rows = list(layouts)
        return cls(
            **{
                name: np.array([getattr(row, name) for row in rows], dtype=np.float64)
                for name in FIELDS
            }
        )

    @classmethod
    def build(cls, **columns: Floats | float) -> "LayoutTable":
        """Build a table from some columns; the others have the defaults of `Layout`."""
        default = Layout()
        n = np.broadcast_shapes(*(np.shape(c) for c in columns.values())) or (1,)
        return cls(
            **{
                name: np.broadcast_to(
                    np.asarray(columns.get(name, float(getattr(default, name))), np.float64), n
                )
                for name in FIELDS
            }
        )

    def __len__(self) -> int:
        return len(self.tp)

    def take(self, rows: Ints | Bools | slice) -> "LayoutTable":
        """Return some rows, in the order given."""
        return LayoutTable(**{name: getattr(self, name)[rows] for name in FIELDS})

    def row(self, i: int) -> Layout:
        """Return row `i` as a `Layout`."""
        value = {name: float(getattr(self, name)[i]) for name in FIELDS}
        kinds: dict[str, type[IntEnum]] = {
            "recompute": Recompute,
            "schedule": Schedule,
            "order": Order,
        }
        whole: dict[str, Any] = {k: kinds.get(k, int)(int(v)) for k, v in value.items()}
        return Layout(**(whole | {"offload": value["offload"]}))

    @classmethod
    def concatenate(cls, tables: Iterable["LayoutTable"]) -> "LayoutTable":
        """Put tables one below the other."""
        parts = list(tables)
        return cls(**{name: np.concatenate([getattr(t, name) for t in parts]) for name in FIELDS})
