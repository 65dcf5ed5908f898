"""Plans to export: a LLaMA in small, and layouts drawn from what a framework can run."""

import random
from collections.abc import Iterator

from plan3d.planner import frameworks
from plan3d.planner.exports import EXPORTERS, Planned
from plan3d.planner.result import Job
from plan3d.planner.space import space
from plan3d.simulator.layout import Layout
from plan3d.simulator.model import Experts, ModelSpec
from tests.planner.jobs import job

LLAMA = ModelSpec(
    name="llama-3-8b", layers=8, hidden=64, heads=8, kv_heads=4, head_dim=8, ffn=256, vocab=1000,
    gated=True, norm="rmsnorm", positions="rotary", tied=False,
    qkv_bias=False, out_bias=False, mlp_bias=False,
)  # fmt: skip
MOE = ModelSpec(
    layers=8, hidden=64, heads=8, kv_heads=8, head_dim=8, ffn=256, vocab=1000,
    experts=Experts(count=8, top_k=2, ffn=64),
)  # fmt: skip
PLAIN = Layout(dp=8, zero=3, shard=8)
"""What every exporter takes but nanotron and NeMo, which have no ZeRO-3."""


def plan(layout: Layout = PLAIN, about: tuple[str, ...] = (), of: Job | None = None) -> Planned:
    return Planned(job=of or job(layout.gpus, LLAMA), layout=layout, about=about)


def simple(name: str) -> Planned:
    """A plan that an exporter takes."""
    zero = max(frameworks.named(EXPORTERS[name].framework).zero)
    return plan(Layout(dp=8, zero=zero, shard=8))


def drawn(name: str, of: Job, count: int, seed: int = 0) -> Iterator[Layout]:
    """Layouts that the framework of an exporter can run, at random."""
    draw = random.Random(seed)
    tables = list(space(of, frameworks.named(EXPORTERS[name].framework)).chunks())
    weights = [len(table) for table in tables]
    for table in draw.choices(tables, weights, k=count):
        yield table.row(draw.randrange(len(table)))
