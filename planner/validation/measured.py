"""What a run measured, in SI: from the rate or the memory that its source prints."""

import re
from dataclasses import replace
from typing import Final

from plan3d.planner.validation.runs import Run
from plan3d.simulator.layout import Schedule
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.pipeline import in_flight
from plan3d.simulator.result import Estimate, Memory

CONVENTIONS: Final = (
    (r"8\s*\*\s*seq|model_size\*8", "8N"),
    (r"72\s*\*?\s*b|3/4|3x fwd|korthikanti", "72"),
    (r"6\s*\*?[np]\b|6\*?seqlen\*n|6 ?\* ?active", "6N"),
    (r"96\s*\*?\s*b|eq\. ?3|4x fwd|megatron 2021", "96"),
)
"""Words of `Run.flops_convention`, and the count meant; the first that matches."""


def step_flop(run: Run, model: ModelSpec) -> float | None:
    r"""Return the work of a step by the source's convention, if it names one [FLOP].

    .. math::

       F_{96} = 96 B s l h^2 \left(1 + \frac{s}{6h} + \frac{V}{16 l h}\right), \quad
       F_{72} = \tfrac{3}{4} F_{96}, \quad
       F_{6N} = (6 N + 12 l h s) B s, \quad F_{8N} = 8 \cdot 12 l h^2 B s

    The first counts full recomputation (arXiv:2104.04473, eq. 3), the second none
    (arXiv:2205.05198, appendix A), the third is PaLM's (arXiv:2204.02311, appendix B; without its
    attention term where the source has none), the last leaves attention and embeddings out.
    """
    words = run.flops_convention.lower()
    count = next((c for pattern, c in CONVENTIONS if re.search(pattern, words)), None)
    if count is None or run.seq is None or run.global_batch is None:
        return None
    tokens = float(run.global_batch * run.seq)
    layers, hidden = model.layers, model.hidden
    if count == "6N":
        attention = 12 * layers * hidden * run.seq if "12" in words else 0
        return (6e9 * run.params_b + attention) * tokens if run.params_b else None
    if count == "8N":
        return 8.0 * 12 * layers * hidden**2 * tokens
    ends = model.vocab / (16 * layers * hidden)
    return float(count) * tokens * layers * hidden**2 * (1 + run.seq / (6 * hidden) + ends)


def step_time_s(run: Run, model: ModelSpec, peak_flop_per_s: float) -> float | None:
    """Return the measured step: printed, or from tokens/s, TFLOP/s or MFU, in this order [s].

    A time that its own source warns of (a warm-up that was not left out) is none.
    """
    if "trust memory, not time" in run.said:
        return None
    if run.iter_s is not None:
        return run.iter_s
    if run.tokens_s_gpu is not None and run.seq and run.global_batch:
        return run.global_batch * run.seq / (run.tokens_s_gpu * run.gpus)
    flop = step_flop(run, model)
    if flop is None:
        return None
    if run.tflops_gpu is not None:
        return flop / (run.gpus * run.tflops_gpu * 1e12)
    return flop / (run.gpus * run.mfu * peak_flop_per_s) if run.mfu else None


def time_column(run: Run) -> str:
    """Return the column that the measured step is from."""
    columns = ("iter_s", "tokens_s_gpu", "tflops_gpu", "mfu")
    return next((name for name in columns if getattr(run, name) is not None), columns[0])


def memory_bytes(run: Run) -> float | None:
    """Return the measured memory, if any [bytes].

    GiB if the notes say so, or torchtitan does. nvidia-smi prints MiB, of which a source makes a
    thousand a GB: "80GB" is more GiB than a card of 81,920 MiB has to give. Where the source does
    not say how large a micro-batch was, its memory is no target.
    """
    if run.mem_gb is None or run.micro_batch is None:
        return None
    if "nvidia-smi" in run.said:
        return run.mem_gb * 1000 * 2.0**20
    binary = "torchtitan" in run.framework or re.search(r"gib|2\^30|/ ?1024\b", run.said)
    return run.mem_gb * (2.0**30 if binary else 1e9)


FIRST: Final = re.compile(r"rank 0 \(first")
"""Words of sources whose figure is that of the first stage, not of the fullest."""


RESERVED: Final = re.compile(r"(?<!-vs-)reserved")
"""Words of sources whose figure is what the allocator reserved."""
PRINTS_RESERVED: Final = re.compile("torchtitan|nanotron")
"""Frameworks that print what is reserved: torchtitan/components/metrics.py; nanotron's published
sweep, whose table of jobs (`recorded.csv`) has the same figures in its column of reserved memory.
"""


UNSTEPPED: Final = re.compile(r"micro-step without optimizer.*global_batch left empty")
"""Words of sources whose figure is from before the optimizer's first step."""


def comparable_bytes(run: Run, estimate: Estimate) -> float:
    """Return the part of the estimated memory that the run's figure counts [bytes].

    nvidia-smi counts all; "reserved" all but the CUDA context; an allocator's peak, which is what
    frameworks print unless they say otherwise (`PRINTS_RESERVED`), neither context nor
    fragmentation. Where it is rank 0's, it is the first stage's. Before Adam's first step its two
    states are not there.
    """
    memory = estimate.first_stage if FIRST.search(run.said) else estimate.memory
    if UNSTEPPED.search(run.said):
        # Of 12 bytes the weights' 4. Gradients are summed, so that they are no late-comers.
        memory = replace(memory, optimizer_bytes=memory.optimizer_bytes / 3)
        return memory.total_bytes - memory.context_bytes
    if "nvidia-smi" in run.said:
        return memory.total_bytes
    held = memory.total_bytes - memory.context_bytes
    if RESERVED.search(run.said) or PRINTS_RESERVED.search(run.framework):
        return held
    return held - memory.margin_bytes


OFFLOADED: Final = re.compile(r"offload ratio alpha=([\d.]+)")
"""Words of sources that move a share of the activations to the host."""


ON_THE_WAY: Final = 4
"""Virtual stages' activations that are on the GPU although they are moved: one is made, one copied
out, and two buffers are copied into (``onload_ping`` and ``onload_pong``,
megatron/core/pipeline_parallel/offload.py, github.com/kwai/Megatron-Kwai). [1]"""


def as_moved(run: Run, estimate: Estimate) -> Estimate:
    """Return an estimate without the activations that a source moves to the host.

    What is on its way there and back is still on the GPU.
    """
    share = OFFLOADED.search(run.said)
    if share is None:
        return estimate
    left = 1 - float(share[1]) * (1 - _on_the_way(run))

    def moved(memory: Memory) -> Memory:
        return replace(memory, activations_bytes=left * memory.activations_bytes)

    return replace(estimate, memory=moved(estimate.memory), first_stage=moved(estimate.first_stage))


def _on_the_way(run: Run) -> float:
    """Return the share of a first stage's activations that those are [1]."""
    pp, vpp = float(run.pp or 1), float(run.vpp or 1)
    kind = float(Schedule.INTERLEAVED if vpp > 1 else Schedule.ONE_F_ONE_B)
    flying = float(in_flight(0.0, pp, vpp, float("inf"), kind))
    return min(1.0, ON_THE_WAY / (vpp * flying))
