from collections.abc import Callable

import pytest

from plan3d.hardware_profiles import part_names, software_names
from plan3d.planner.validation import Profiles, Run
from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.surroundings import (
    GENERATIONS,
    NETWORKS,
    cluster_of,
    dropout_of,
    precision_of,
    software_of,
)


def test_every_name_of_the_rules_is_shipped() -> None:
    assert {name for _, name in NETWORKS} <= set(part_names("networks"))
    assert {name for _, years in GENERATIONS for name in years.values()} <= set(software_names())


@pytest.mark.parametrize(
    ("changes", "network"),
    [
        ({"inter_node": "8x200Gb/s HDR InfiniBand per node (Selene)"}, "hdr-8x200"),
        ({"inter_node": "800 Gb/s per node (4x200G HDR)"}, "hdr-4x200"),
        ({"inter_node": "100Gb/s InfiniBand per node"}, "ib-1x100"),
        ({"inter_node": "4x100Gb/s Omni-Path per node"}, "opa-4x100"),
        ({"inter_node": "1600 Gbps RoCE per node"}, "roce-8x200"),
        ({"inter_node": "8x100Gb/s NICs per node"}, "cx-8x100"),
        ({"inter_node": "8x400 Gb/s RoCE", "gpu": "h100-80g-sxm"}, "roce-8x400"),
        ({"inter_node": "4x100 Gb/s RoCE"}, "edr-4x100"),
        ({"gpu": "gb200-186g", "gpus_per_node": 4}, "nvl72-400"),
        ({"inter_node": "EFA 3200 Gbps", "gpu": "h100-80g-sxm"}, "efa-p5"),
        ({"notes": "EFA network", "gpu": "a100-40g-sxm"}, "efa-p4d"),
        ({"framework": "nanotron v0.5", "gpu": "h100-80g-sxm"}, "efa-p5"),
        ({"framework": "nanotron", "inter_node": "8x400 Gb/s NDR"}, "ndr-8x400"),
        ({"framework": "llm-foundry/Composer FSDP", "gpu": "h100-80g-sxm"}, "ndr-8x400"),
        ({"inter_node": "InfiniBand (not detailed)"}, "hdr-8x200"),
    ],
)
def test_network_by_the_words_of_the_source(
    run: Callable[..., Run], profiles: Profiles, changes: dict[str, object], network: str
) -> None:
    assert cluster_of(run(**changes), profiles).value[1].network.name == network


def test_a_network_is_assumed_only_between_nodes(
    run: Callable[..., Run], profiles: Profiles
) -> None:
    assert cluster_of(run(gpus=8), profiles).assumed == ()
    assert cluster_of(run(gpus=16), profiles).assumed == ("network=hdr-8x200",)


@pytest.mark.parametrize("said", ["NVL72", ""])
def test_a_rack_is_one_node(run: Callable[..., Run], profiles: Profiles, said: str) -> None:
    rack = run(gpu="gb200-186g", gpus=128, gpus_per_node=4, inter_node=said)
    assert cluster_of(rack, profiles).value[1].gpus_per_node == 72


@pytest.mark.parametrize("gpu", ["", "tpu-v4"])
def test_no_gpu_no_prediction(run: Callable[..., Run], profiles: Profiles, gpu: str) -> None:
    with pytest.raises(SkipError, match="GPU"):
        cluster_of(run(gpu=gpu), profiles)


@pytest.mark.parametrize(
    ("framework", "year", "notes", "name"),
    [
        ("Megatron-LM", 2020, "", "megatron-2020"),
        ("Megatron-LM", 2022, "", "megatron-2022"),
        ("Megatron-Kwai", 2024, "", "megatron-kwai-2024"),
        ("Megatron-LM Jan 1 2024", 2024, "", "megatron-core"),
        ("Megatron-DeepSpeed", 2023, "", "megatron-deepspeed-2022"),
        ("NeMo Megatron 22.05", 2022, "", "nemo-2022"),
        ("NeMo (Megatron-Core)", 2025, "", "nemo-2024"),
        ("Aleph Alpha AA-Scaling (Megatron-style 3D + ZeRO-1)", 2023, "", "aleph-alpha-2023"),
        ("DeepSpeed ZeRO-3", 2021, "", "deepspeed-2022"),
        ("DeepSpeed ZeRO-3", 2022, "", "hf-deepspeed-2022"),
        ("llm-foundry/Composer FSDP", 2024, "", "fsdp-2023"),
        ("llm-foundry/Composer FSDP", 2023, "torch 1.13-era table", "fsdp-2022"),
        ("torchtitan FSDP2", 2024, "torch.compile", "fsdp2-2024"),
        ("torchtitan FSDP2", 2024, "local batch 1", "fsdp2-2024-eager"),
        ("torchtitan FSDP2", 2025, "async TP, torch.compile", "fsdp2-2025-async-tp"),
        ("torchtitan FSDP2", 2025, "vanilla TP, torch.compile", "fsdp2-2025"),
        ("torchtitan FSDP2", 2026, "torch.compile", "fsdp2-2026"),
        ("torchtitan FSDP2", 2026, "eager", "fsdp2-2026-eager"),
        ("torchtune", 2025, "packed dataset (cumulative); x", "fsdp2-2024-eager"),
        ("torchtune", 2025, "+torch.compile (cumulative); x", "fsdp2-2024"),
        ("KempnerForge (PyTorch FSDP2/DTensor)", 2026, "torch.compile", "kempnerforge-2026"),
        ("KempnerForge (PyTorch FSDP2/DTensor)", 2026, "eager", "kempnerforge-2026-eager"),
        ("GPT-NeoX (Megatron+DeepSpeed)", 2023, "", "gpt-neox-2023"),
        ("MaxText (JAX)", 2025, "", "jax-2024"),
        ("nanotron v0.5", 2025, "", "nanotron-2024"),
        ("FlashAttention repo (DDP)", 2022, "", "torch-2022"),
        ("InternLM (hybrid ZeRO)", 2023, "", "internlm-2023"),
        ("InternLM", 2024, "torch.compile", "fsdp2-2024"),
    ],
)
def test_generation_by_framework_and_year(
    run: Callable[..., Run], profiles: Profiles, framework: str, year: int, notes: str, name: str
) -> None:
    assert software_of(run(framework=framework, year=year, notes=notes), profiles).name == name


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "nanotron-2024"),
        ({"pp": 1}, "nanotron-2024"),
        ({"gpus": 8}, "nanotron-2024"),
        ({"version": "after the fix of its pipelines"}, "nanotron-2024"),
        ({"version": "before the fix of its pipelines"}, "nanotron-2024-early"),
        ({"version": "before the fix of its pipelines", "pp": 1}, "nanotron-2024"),
        ({"version": "before the fix of its pipelines", "gpus": 8}, "nanotron-2024"),
        ({"node_allreduce_gb_s": 424.0}, "nanotron-2024-host-bound"),
        ({"node_allreduce_gb_s": 424.0, "gpus": 8}, "nanotron-2024"),
        ({"node_allreduce_gb_s": 457.0}, "nanotron-2024"),
        ({"framework": "torchtune", "node_allreduce_gb_s": 424.0}, "fsdp2-2024"),
    ],
)
def test_the_state_of_nanotron_by_what_its_job_says(
    run: Callable[..., Run], profiles: Profiles, changes: dict[str, object], name: str
) -> None:
    facts = {"framework": "nanotron v0.5", "year": 2025, "gpu": "h100-80g-sxm", "gpus": 32, "pp": 2}
    row = run(**(facts | changes))
    assert software_of(row, profiles).name == name


@pytest.mark.parametrize(
    ("notes", "once"), [("etp=1; DeepEP, FSDP", True), ("etp=1; all-to-all", False), ("", False)]
)
def test_deepep_sends_once(
    run: Callable[..., Run], profiles: Profiles, notes: str, once: bool
) -> None:
    found = software_of(run(framework="Megatron-Core MoE", year=2025, notes=notes), profiles)
    assert (found.name, found.sends_once) == ("megatron-core", once)


def test_a_stated_kernel_overrides_the_generation(
    run: Callable[..., Run], profiles: Profiles
) -> None:
    unfused = software_of(run(year=2023, notes="kernel: torch; x", gated_mlp=1), profiles)
    assert (unfused.attention, unfused.fp32_norms) == (("unfused",), True)
    assert unfused.fp32_softmax
    fused = software_of(run(year=2023, notes="kernel: fused; x", gated_mlp=1), profiles)
    assert (fused.attention, fused.fp32_softmax) == (("unfused",), False)
    notes = "kernel: flash_attention2 + RMS kernel"
    fused = software_of(run(year=2023, notes=notes, gated_mlp=1), profiles)
    assert (fused.attention, fused.fp32_norms) == (("flash2",), False)


@pytest.mark.parametrize(
    ("changes", "blocking"),
    [
        ({}, True),
        ({"gpus": 160}, False),
        ({"inter_node": "4x100Gb/s Omni-Path per node"}, False),
        ({"framework": "Megatron-LM"}, False),
    ],
)
def test_large_jobs_at_jean_zay_launch_blocking(
    run: Callable[..., Run], profiles: Profiles, changes: dict[str, object], blocking: bool
) -> None:
    where = "4x100Gb/s Omni-Path per node (Jean Zay, from memory)"
    row = run(**{"framework": "Megatron-DeepSpeed", "gpus": 320, "inter_node": where} | changes)
    assert software_of(row, profiles).blocking is blocking


@pytest.mark.parametrize(
    ("gpu", "notes", "theirs"),
    [
        ("h100-80g-sxm", "H100 variant not stated", "h100-96g-sxm"),
        ("b200-180g-sxm", '"power limited" B200; median', "b200-180g-750w"),
        ("h100-80g-sxm", "median", "h100-80g-sxm"),
    ],
)
def test_the_variants_that_torchtitan_has(
    run: Callable[..., Run], profiles: Profiles, gpu: str, notes: str, theirs: str
) -> None:
    """Of others, the GPU that is named."""
    for framework, expected in (("torchtitan FSDP2", theirs), ("nanotron", gpu)):
        row = run(framework=framework, gpu=gpu, gpus=8, notes=notes)
        name, cluster = cluster_of(row, profiles).value
        assert name.gpu == cluster.gpu.name == expected


def test_dropout_of_the_gpt_era(run: Callable[..., Run], profiles: Profiles) -> None:
    def trained_with(**changes: object) -> bool:
        row = run(**changes)
        return dropout_of(row, software_of(row, profiles))

    assert trained_with()
    assert not trained_with(gated_mlp=1)
    assert trained_with(year=2023)
    assert not trained_with(year=2024)
    assert not trained_with(framework="llm-foundry/Composer FSDP")


@pytest.mark.parametrize(
    ("text", "year", "gpu", "name"),
    [
        ("bf16 (pure, fp32 reduce)", 2026, "h200-141g-sxm", "bf16-pure"),
        ("float8 rowwise", 2025, "h100-80g-sxm", "fp8-rowwise"),
        ("float8 tensorwise", 2025, "h100-80g-sxm", "fp8"),
        ("nvfp4 (layers 0-26; 27-31 bf16)", 2026, "b200-192g", "fp8"),
        ("amp_bf16", 2024, "h100-80g-sxm", "bf16"),
        ("bfloat16", 2021, "a100-80g-sxm", "bf16"),
        ("float16", 2024, "a100-80g-sxm", "fp16"),
        ("float32", 2024, "a100-80g-sxm", "fp32"),
        ("", 2021, "a100-80g-sxm", "fp16"),
        ("", 2023, "a100-80g-sxm", "bf16"),
        ("", 2023, "v100-32g", "fp16"),
    ],
)
def test_precision(run: Callable[..., Run], text: str, year: int, gpu: str, name: str) -> None:
    assert precision_of(run(precision=text, year=year, gpu=gpu)).value.name == name


def test_a_precision_that_nobody_knows_is_no_default(run: Callable[..., Run]) -> None:
    with pytest.raises(SkipError, match="unknown precision fp7") as reason:
        precision_of(run(precision="fp7"))
    assert reason.value.particulars.startswith("column precision is 'fp7': ")


@pytest.mark.parametrize(
    ("notes", "bytes_"),
    [
        ("+torch.compile (cumulative)", 12),
        ("+chunked cross-entropy (cumulative)", 5.5),
        ("+activation checkpointing (cumulative)", 5.5),
        ("activation checkpointing", 12),
    ],
)
def test_a_chunked_loss_has_an_eighth_in_32_bits(
    run: Callable[..., Run], profiles: Profiles, notes: str, bytes_: float
) -> None:
    row = run(framework="torchtune", year=2025, notes=notes)
    assert software_of(row, profiles).logits_bytes == bytes_
