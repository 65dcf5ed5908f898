"""What one configuration's step was measured to take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Times and peaks of one training step; None where the device does not tell."""

    step_s: float | None = None
    """Forward, backward and update. [s]"""
    forward_s: float | None = None
    backward_s: float | None = None
    """With what is recomputed in it. [s]"""
    update_s: float | None = None
    peak_bytes: float | None = None
    """Most that tensors took. [bytes]"""
    reserved_bytes: float | None = None
    """Most that the allocator took from the GPU: fragmentation included. [bytes]"""
    out_of_memory: bool = False
    """The GPU's memory was not enough, so nothing else was measured."""
