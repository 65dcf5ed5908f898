"""From a run to what it ran on and with: GPU, network, software generation, precision.

The rules go by the framework's name, the year, what the source says in words, and where a state of
the software depends on them by the number of GPUs and the layout: never by suite, row or model.
Constants therefore exist once per GPU type and per software generation.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from plan3d.planner.validation.choice import Choice, SkipError
from plan3d.planner.validation.own_network import as_measured, reaches_bandwidth
from plan3d.planner.validation.runs import Run
from plan3d.simulator.errors import InputError
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.software import Software
from plan3d.simulator.workload import PRECISIONS, Precision


class Profiles(Protocol):
    """Where clusters and software come from by name."""

    def cluster(self, gpu: str, gpus_per_node: int, network: str) -> Cluster:
        """Return nodes of so many GPUs; 0 GPUs, or no network, stands for what the GPU usually has.

        Raises an InputError if there is no such GPU or network.
        """
        ...

    def software(self, name: str) -> Software:
        """Return a software generation."""
        ...


class ClusterName(NamedTuple):
    """What `Profiles.cluster` needs."""

    gpu: str
    gpus_per_node: int
    network: str


NVLINK_RACK: Final = "nvl72"
NETWORKS: Final = (
    (NVLINK_RACK, "nvl72-400"),
    ("dgx-2", "edr-8x100-dgx2"),
    (r"\befa\b.*a100", "efa-p4d"),
    (r"\befa\b", "efa-p5"),
    ("omni-path", "opa-4x100"),
    (r"8x400 gb/s roce", "roce-8x400"),
    (r"4x100 gb/s", "edr-4x100"),
    ("roce", "roce-8x200"),
    ("8x200", "hdr-8x200"),
    (r"4x200|800 gb/s per node|\(4x per node", "hdr-4x200"),
    ("8x100", "cx-8x100"),
    ("^100 ?gb/s", "ib-1x100"),
    (r"\bndr\b|400 gb/s", "ndr-8x400"),
    (r"\| gb200", "nvl72-400"),  # the GPU: sold as racks
    ("nanotron.*h100", "efa-p5"),  # its published sweeps, which name none, ran on p5 (playbook)
)
"""Words on the network between nodes, and the profile; the first that matches: what a source says
of its network comes before what its GPU or framework lets one expect."""

GENERATIONS: Final[tuple[tuple[str, Mapping[int, str]], ...]] = (
    ("nanotron|picotron", {9999: "nanotron-2024"}),
    (r"torch 1\.", {9999: "fsdp-2022"}),
    ("composer|foundry", {2022: "fsdp-2022", 9999: "fsdp-2023"}),
    ("jax", {9999: "jax-2024"}),
    ("kempnerforge", {9999: "kempnerforge-2026"}),
    ("torchtitan|fsdp2", {2024: "fsdp2-2024", 2025: "fsdp2-2025", 9999: "fsdp2-2026"}),
    ("torchtune|litgpt", {9999: "fsdp2-2024"}),
    ("fsdp", {2022: "fsdp-2022", 2023: "fsdp-2023", 9999: "fsdp2-2024"}),
    ("gpt-neox", {2022: "megatron-deepspeed-2022", 9999: "gpt-neox-2023"}),
    ("megatron-deepspeed", {9999: "megatron-deepspeed-2022"}),
    ("zero-3|gemini|^deepspeed", {2021: "deepspeed-2022", 9999: "hf-deepspeed-2022"}),
    ("nemo", {2022: "nemo-2022", 9999: "nemo-2024"}),
    ("aleph alpha", {9999: "aleph-alpha-2023"}),
    ("megatron-kwai", {9999: "megatron-kwai-2024"}),
    ("megatron", {
        2020: "megatron-2020", 2021: "megatron-2021", 2022: "megatron-2022",
        2023: "megatron-2023", 9999: "megatron-core",
    }),
    ("huggingface", {9999: "hf-2022"}),
    ("internlm", {2023: "internlm-2023", 9999: "fsdp2-2024"}),
    (r"^ddp\b", {2022: "hf-2022", 9999: "fsdp2-2024"}),  # plain PyTorch, nothing fused
    ("", {2023: "torch-2022", 9999: "fsdp2-2024"}),
)  # fmt: skip
"""Words of the framework, and its generation by the last year of each; the first that matches."""

BEFORE_FIX: Final = re.compile(r"before the fix of its pipelines")
"""Words on a version of nanotron whose pipelines wait for every transfer."""
EAGER: Final = {
    "fsdp2-2024": "fsdp2-2024-eager",
    "fsdp2-2025": "fsdp2-2024-eager",
    "fsdp2-2026": "fsdp2-2026-eager",
    "kempnerforge-2026": "kempnerforge-2026-eager",
}
"""Generations that have a variant without torch.compile, and it."""
WITHOUT_COMPILE: Final = re.compile(r"\beager\b|^packed dataset \(cumulative")
"""Words on a run without torch.compile (torchtune's table turns it on after packing)."""
ASYNC_TP: Final = re.compile(r"\basync tp\b")
"""Words on a run of torchtitan with asynchronous tensor parallelism."""
BLOCKING: Final = re.compile(r"jean zay")
BLOCKING_GPUS: Final = 320
"""Words on the network, and how many GPUs, of Megatron-DeepSpeed's jobs with
``CUDA_LAUNCH_BLOCKING=1``: without it they "always hang" there (github.com/bigscience-workshop/
bigscience, train/tr11-176B-ml/chronicles-prequel.md, "dealing with JZ hanging"; set by
tr11-176B-ml.slurm, "do not remove or the training will hang"). [1]"""
VARIANTS: Final = (
    ("h100 variant not stated", "h100-96g-sxm"),
    ('"power limited" b200', "b200-180g-750w"),
)
"""Words on a GPU of torchtitan's and torchao's authors, and which one they have: of the H100,
47.65 GiB are 50.16 % in the log of pytorch/torchtitan@7a04053, and torchao's roofline model has its
2.4 TB/s, "custom to Meta's H100 variant" (pytorch/ao@0598012
torchao/testing/training/roofline_utils.py); of the B200, see its profile."""
CHUNKED_LOSS: Final = re.compile(
    r"\+(chunked cross-entropy|activation checkpointing|optimizer step in backward) \(cumulative"
)
"""Words on a run whose loss works on an eighth of the logits at a time (torchtune's table has it
in that row and all below)."""
FUSED_LOSS: Final = re.compile("composer|foundry")
"""Frameworks whose loss is one kernel each way on 16-bit logits: MPT's default, flash-attn's
(``fused_crossentropy`` in llmfoundry/models/mpt/modeling_mpt.py, github.com/mosaicml/llm-foundry at
0085285). The logits and their gradient are kept, read once forward, read and written backward."""
SENDS_ONCE: Final = re.compile(r"\bdeepep\b")
"""Words on a run whose tokens go to experts by DeepEP, not by all-to-all."""
CHUNKED_LOGITS_BYTES: Final = 2 + 2 + 12 / 8
"""The logits and their gradient in 16 bits, a chunk as with the whole: torchtune's
torchtune/modules/loss/ce_chunked_output_loss.py. [bytes]"""
KERNELS: Final = (
    (r"kernel: (torch|fused)\b", ("unfused",)),
    (r"kernel: flash_attentionv?1", ("flash1", "flash2")),
    ("kernel: flash_attention2", ("flash2",)),
    ("triton flash", ("flash1", "flash2")),
)
"""Words on the attention kernel, and the kernels of the profile in order of preference."""
DROPOUT: Final = re.compile(r"((megatron|nemo|deepspeed).*20(19|20|21|22)|megatron-2023)$")
"""Generations whose GPT recipes train with dropout 0.1 (the default of their command lines)."""


def cluster_of(run: Run, profiles: Profiles) -> Choice[tuple[ClusterName, Cluster]]:
    """Return the cluster of a run.

    The network is that of the source's words (`NETWORKS`), or the usual one of the GPU, which is
    an assumption only if there is more than one node. Both are as slow as the job measured them.
    """
    if not run.gpu:
        raise SkipError("no GPU stated")
    words = f"{run.inter_node} | {run.framework} | {run.notes} | {run.gpu}".lower()
    network = next((name for pattern, name in NETWORKS if re.search(pattern, words)), "")
    # In a rack of NVLink the domain is the rack, not the host that the source calls a node.
    per_node = 0 if NVLINK_RACK in network else run.gpus_per_node or 8
    variants = (gpu for said, gpu in VARIANTS if said in words and "torchtitan" in words)
    name = ClusterName(next(variants, run.gpu), per_node, network)
    try:
        cluster = profiles.cluster(*name)
    except InputError:
        raise SkipError(f"unknown GPU {run.gpu[:40]}", f"column gpu is {run.gpu[:40]!r}") from None
    unstated = not network and run.gpus > cluster.gpus_per_node
    assumed = (f"network={cluster.network.name}",) if unstated else ()
    return Choice((name, as_measured(cluster, run)), assumed)


def software_of(run: Run, profiles: Profiles) -> Software:
    """Return the software of a run: its generation, with the kernels that the source names.

    A source that names its attention kernel names its fused kernels: without an "RMS kernel"
    beside it, a gated model's norms run unfused, and with PyTorch's own attention its softmax is
    that of LLaMA's code, in 32 bits (github.com/meta-llama/llama, llama/model.py).
    """
    words = f"{run.framework.lower()} | {run.notes.lower()}"
    named = next(
        years
        for pattern, years in GENERATIONS
        if re.search(pattern, words if pattern.startswith("torch 1") else run.framework.lower())
    )
    name = next(name for last, name in named.items() if run.year <= last)
    if name in EAGER and _is_eager(run):
        name = EAGER[name]
    elif name in ("fsdp2-2024", "fsdp2-2025") and ASYNC_TP.search(words):
        name = f"{name}-async-tp"
    if name == "megatron-deepspeed-2022" and "bf16" in run.precision.lower():
        name = "megatron-deepspeed-2022-bf16"
    if name == "nanotron-2024":
        name = _nanotron(run, name, profiles)
    software = profiles.software(name)
    if name.startswith("megatron-deepspeed") and BLOCKING.search(run.inter_node.lower()):
        software = replace(software, blocking=run.gpus >= BLOCKING_GPUS)
    if CHUNKED_LOSS.search(run.said):
        software = replace(software, logits_bytes=CHUNKED_LOGITS_BYTES)
    if SENDS_ONCE.search(run.said):
        software = replace(software, sends_once=True)
    if FUSED_LOSS.search(run.framework.lower()):
        software = replace(
            software, logits_bytes=4.0, loss_forward_bytes=2.0, loss_backward_bytes=4.0
        )
    kernel = next((k for pattern, k in KERNELS if re.search(pattern, run.said)), None)
    if kernel is None:
        return software
    llama = bool(run.gated_mlp)
    return replace(
        software,
        attention=kernel,
        fp32_norms=llama and "kernel:" in run.said and "rms kernel" not in run.said,
        fp32_softmax=llama and "kernel: torch" in run.said,
    )


def _is_eager(run: Run) -> bool:
    """Whether a run does without torch.compile, which torchtitan's configurations leave off.

    (``compile = false`` in train_configs/*.toml, github.com/pytorch/torchtitan at 0011fb9.)
    """
    words = run.notes.lower()
    unsaid = "torchtitan" in run.framework.lower() and "compile" not in words
    return unsaid or WITHOUT_COMPILE.search(words) is not None


def _nanotron(run: Run, name: str, profiles: Profiles) -> str:
    """Return the state of nanotron in a job on several nodes, by what the job recorded of itself.

    Its version tells whether pipelines wait for transfers. Hosts issue collectives slowly in jobs
    whose all-reduce inside a node does not reach the bandwidth of the profile: 437 GB/s on H100,
    where jobs measure 385-432, or 439-462. A job that says nothing of itself is as a plan is:
    after the fix, on hosts that keep up.
    """
    if run.gpus <= (run.gpus_per_node or 8):
        return name
    if (run.pp or 1) > 1 and BEFORE_FIX.search(run.version):
        return f"{name}-early"
    cluster = profiles.cluster(run.gpu, run.gpus_per_node or 8, "")
    return name if reaches_bandwidth(cluster, run) else f"{name}-host-bound"


def dropout_of(run: Run, software: Software) -> bool:
    """Return whether a run trained with dropout: GPT models of the Megatron family to 2022."""
    return not run.gated_mlp and DROPOUT.search(software.name) is not None


def precision_of(run: Run) -> Choice[Precision]:
    """Return the precision of a run; unstated, it is bf16 from 2022 on GPUs that have it."""
    text = run.precision.lower()
    for pattern, name in (
        ("pure", "bf16-pure"),
        ("float8 rowwise", "fp8-rowwise"),
        ("fp8|float8|nvfp4", "fp8"),
        ("bf16|bfloat16", "bf16"),
        ("fp16|float16", "fp16"),
        ("tf32", "tf32"),
        ("fp32|float32", "fp32"),
    ):
        if re.search(pattern, text):
            assumed = ("nvfp4 as fp8",) if "nvfp4" in text else ()
            return Choice(PRECISIONS[name], assumed)
    if text:
        said = f"column precision is {run.precision!r}: {', '.join(PRECISIONS)}"
        raise SkipError(f"unknown precision {text[:40]}", said)
    name = "fp16" if run.year < 2022 or "v100" in run.gpu else "bf16"
    return Choice(PRECISIONS[name], (f"precision={name}",))
