"""A model with the settings that it is usually trained with."""

from dataclasses import dataclass

from plan3d.simulator.model import ModelSpec
from plan3d.simulator.workload import Workload, optimizer_named, precision_named

ASSUMED_BATCH_TOKENS = 4 * 2**20
"""Tokens of a step where nothing is published: those of LLaMA and most models since."""
ASSUMED_SEQ = 4096
"""Longest sequence that is assumed where nothing is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A model and its published training settings: the defaults of a question about it."""

    model: ModelSpec
    seq: int
    """Tokens of a sequence. [1]"""
    global_batch: int
    """Sequences of a step. [1]"""
    precision: str = "bf16"
    optimizer: str = "adam"
    tokens: float | None = None
    """Tokens of the whole training, where they are published. [1]"""
    hardware: str = "dgx-h100"
    """Profile of the cluster that is assumed."""
    source: str
    published_params: float | None = None
    """Parameters that the source prints. [1]"""
    rounding: float = 0.0
    """Half a unit of the last digit that the source prints; 0 is exact. [1]"""
    aliases: tuple[str, ...] = ()
    note: str = ""
    """What a user should know, such as what is assumed."""

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def workload(self) -> Workload:
        """One step of the published training."""
        return Workload(
            seq=self.seq,
            global_batch=self.global_batch,
            precision=precision_named(self.precision),
            optimizer=optimizer_named(self.optimizer),
        )


def assumed(model: ModelSpec, source: str, seq: int | None = None) -> Preset:
    """Return a model of the user's own with settings that are usual.

    Sequences of `seq`, or the longest power of two within the model's positions and 4,096; as many
    of them as make 4 Mi tokens.
    """
    if seq is None:
        longest = min(model.max_positions, ASSUMED_SEQ)
        seq = 1 << (longest.bit_length() - 1)
    batch = max(1, ASSUMED_BATCH_TOKENS // seq)
    return Preset(
        model=model,
        seq=seq,
        global_batch=batch,
        source=source,
        note=f"Assumed: {batch:,} sequences of {seq:,} tokens, bf16, adam.",
    )
