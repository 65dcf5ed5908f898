"""What one optimizer step has to do: the batch, the precision and the optimizer.

These decide how training converges, so a search never changes them; a layout decides only how
the same step is executed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from plan3d.simulator.errors import InputError, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Bytes per element of what training keeps, and the type of its matrix products."""

    name: str
    matmul: str
    """Peak that the matrix products run against: a field of `hardware.Peaks`."""
    weight_bytes: float
    """Parameters as the forward pass reads them. [bytes]"""
    activation_bytes: float
    """Activations saved for backward. [bytes]"""
    master_bytes: float
    """Extra full-precision copy of each parameter; 0 where there is none. [bytes]"""
    state_bytes: float
    """Each optimizer state. [bytes]"""
    gradient_bytes: float | None = None
    """Gradient buffer, where the precision and not the framework decides. [bytes]"""
    scaled_by_row: bool = False
    """8-bit operands have a scale for each row, not one: see `plan3d.simulator.float8`."""


PRECISIONS: Final[Mapping[str, Precision]] = {
    p.name: p
    for p in (
        Precision(
            name="bf16", matmul="bf16", weight_bytes=2, activation_bytes=2,
            master_bytes=4, state_bytes=4,
        ),
        Precision(
            name="fp16", matmul="fp16", weight_bytes=2, activation_bytes=2,
            master_bytes=4, state_bytes=4,
        ),
        Precision(
            name="bf16-pure", matmul="bf16", weight_bytes=2, activation_bytes=2,
            master_bytes=0, state_bytes=2, gradient_bytes=2,
        ),
        Precision(
            name="fp8", matmul="fp8", weight_bytes=2, activation_bytes=2,
            master_bytes=4, state_bytes=4,
        ),
        Precision(
            name="fp8-rowwise", matmul="fp8", weight_bytes=2, activation_bytes=2,
            master_bytes=4, state_bytes=4, scaled_by_row=True,
        ),
        Precision(
            name="tf32", matmul="tf32", weight_bytes=4, activation_bytes=4,
            master_bytes=0, state_bytes=4, gradient_bytes=4,
        ),
        Precision(
            name="fp32", matmul="fp32", weight_bytes=4, activation_bytes=4,
            master_bytes=0, state_bytes=4, gradient_bytes=4,
        ),
    )
}  # fmt: skip
"""Precision recipes by name (seed facts 17, 18, 21; ZeRO, arXiv:1910.02054, section 3.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """What an optimizer keeps for each parameter."""

    name: str
    states: float
    """Full-size states per parameter: 2 for Adam (m and v). [1]"""
    state_bytes: float | None = None
    """Bytes of one state, where it differs from the precision's. [bytes]"""


OPTIMIZERS: Final[Mapping[str, Optimizer]] = {
    o.name: o
    for o in (
        Optimizer(name="adam", states=2),
        Optimizer(name="adam8bit", states=2, state_bytes=1),
        Optimizer(name="adagrad", states=1),
        Optimizer(name="adafactor", states=0),
        Optimizer(name="lion", states=1),
        Optimizer(name="momentum", states=1),
        Optimizer(name="muon", states=1),
        Optimizer(name="sgd", states=0),
        Optimizer(name="sophia", states=2),
    )
}
"""Optimizers by name (seed fact 20). Adafactor keeps rows and columns only: nothing full-size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientSync:
    """How often and how densely data-parallel replicas exchange gradients (seed fact 11)."""

    compression: float = 1.0
    """Bytes sent per byte of gradient: 1 is uncompressed. [1]"""
    every: int = 1
    """Steps between exchanges: local SGD with H steps. [1]"""
    neighbours: int = 0
    """Replicas that each one talks to; 0 is all of them (all-reduce). [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One optimizer step."""

    seq: int
    """Tokens of a sequence, *s*. [1]"""
    global_batch: int
    """Sequences of a step, *B*. [1]"""
    precision: Precision = PRECISIONS["bf16"]
    optimizer: Optimizer = OPTIMIZERS["adam"]
    dropout: bool = False
    """Dropout is trained with: its masks are kept for backward."""
    sync: GradientSync = field(default_factory=GradientSync)

    def __post_init__(self) -> None:
        for name in ("seq", "global_batch"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= 10**9:
                raise InputError(f"{name} is {value!r}, but must be a whole number from 1 to 1e9")

    @property
    def tokens(self) -> int:
        """Tokens of one step."""
        return self.seq * self.global_batch


def precision_named(name: str) -> Precision:
    """Return a precision recipe by name."""
    if name not in PRECISIONS:
        raise unknown("precision", name, PRECISIONS)
    return PRECISIONS[name]


def optimizer_named(name: str) -> Optimizer:
    """Return an optimizer by name."""
    if name not in OPTIMIZERS:
        raise unknown("optimizer", name, OPTIMIZERS)
    return OPTIMIZERS[name]
