"""Which steps are measured: sizes, style, batch and recomputation."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from plan3d.simulator.layout import Layout, Recompute
from plan3d.simulator.model import ModelSpec

Style = Literal["gpt", "llama"]
STYLES: Final[tuple[Style, ...]] = ("gpt", "llama")
SOFTWARE: Final[dict[Style, str]] = {"gpt": "torch-plain", "llama": "torch-plain-llama"}
"""The software generation that describes the program, by style."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One configuration."""

    style: Style
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    vocab: int
    seq: int
    """Tokens of a sequence. [1]"""
    micro_batch: int = 1
    """Sequences of the step, which is one micro-batch. [1]"""
    recompute: Recompute = Recompute.NONE

    @property
    def model(self) -> ModelSpec:
        """The model: the one statement of its sizes."""
        llama = self.style == "llama"
        return ModelSpec(
            name=f"{self.style} h{self.hidden} l{self.layers}",
            layers=self.layers, hidden=self.hidden, heads=self.heads, kv_heads=self.kv_heads,
            head_dim=self.hidden // self.heads, ffn=self.ffn, vocab=self.vocab, gated=llama,
            norm="rmsnorm" if llama else "layernorm",
            positions="rotary" if llama else "learned", max_positions=self.seq,
            tied=not llama, qkv_bias=not llama, out_bias=not llama, mlp_bias=not llama,
        )  # fmt: skip

    @property
    def layout(self) -> Layout:
        """One GPU, one micro-batch."""
        return Layout(micro_batch=self.micro_batch, recompute=self.recompute)

    def __str__(self) -> str:
        return (
            f"{self.model.name} s{self.seq} b{self.micro_batch} recompute "
            f"{self.recompute.name.lower()}"
        )


NONE, SELECTIVE, FULL = Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL

MODELS: Final = (
    Case(
        style="gpt", hidden=768, layers=12, heads=12, kv_heads=12, ffn=3072, vocab=50304, seq=1024
    ),
    Case(
        style="gpt", hidden=1024, layers=24, heads=16, kv_heads=16, ffn=4096, vocab=50304, seq=1024
    ),
    Case(
        style="gpt", hidden=1536, layers=24, heads=12, kv_heads=12, ffn=6144, vocab=50304, seq=2048
    ),
    Case(
        style="gpt", hidden=2048, layers=24, heads=16, kv_heads=16, ffn=8192, vocab=50304, seq=2048
    ),
    Case(
        style="llama", hidden=1024, layers=16, heads=16, kv_heads=16, ffn=2816, vocab=32000,
        seq=2048,
    ),
    Case(
        style="llama", hidden=2048, layers=16, heads=32, kv_heads=8, ffn=8192, vocab=32000,
        seq=2048,
    ),
    Case(
        style="llama", hidden=2048, layers=22, heads=32, kv_heads=4, ffn=5632, vocab=32000,
        seq=2048,
    ),
    Case(
        style="llama", hidden=2560, layers=24, heads=20, kv_heads=20, ffn=6912, vocab=32000,
        seq=2048,
    ),
)  # fmt: skip
"""0.12, 0.35, 0.76 and 1.3 B; 0.27, 1.1, 1.1 and 2.1 B parameters (GPT-3's, TinyLlama's, ...)."""

WAYS: Final = ((4, 1, NONE), (4, 1, SELECTIVE), (8, 1, FULL), (1, 4, NONE))
"""Micro-batch, times the sequence, recomputation: of each model."""

TOO_LARGE: Final = (replace(MODELS[3], micro_batch=64), replace(MODELS[7], micro_batch=64))
"""Some 300 GB: no GPU of today holds them."""

GPU: Final = tuple(
    replace(model, micro_batch=batch, seq=times * model.seq, recompute=recompute)
    for model in MODELS
    for batch, times, recompute in WAYS
) + TOO_LARGE  # fmt: skip
"""For a GPU of 80 GB: a few minutes."""

_SMALL: Final = (
    Case(style="gpt", hidden=128, layers=4, heads=4, kv_heads=4, ffn=512, vocab=4096, seq=256),
    Case(style="llama", hidden=128, layers=4, heads=4, kv_heads=2, ffn=352, vocab=4096, seq=256),
)

CPU: Final = tuple(
    replace(model, micro_batch=batch, layers=layers, recompute=recompute)
    for model in _SMALL
    for batch, layers in ((2, 4), (4, 8))
    for recompute in (NONE, SELECTIVE, FULL)
)
"""For a processor: memory only, so small ones do. Seconds."""
