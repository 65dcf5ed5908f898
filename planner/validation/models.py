"""From a run to its model: the architecture that its dimensions and its family imply."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from plan3d.planner.validation.choice import Choice, SkipError
from plan3d.planner.validation.runs import Run
from plan3d.simulator.errors import InputError
from plan3d.simulator.model import Experts, ModelSpec

NO_BIAS: Final[Mapping[str, Any]] = {"qkv_bias": False, "out_bias": False, "mlp_bias": False}
GPT: Final[Mapping[str, Any]] = {}
LLAMA: Final[Mapping[str, Any]] = {
    "gated": True, "norm": "rmsnorm", "positions": "rotary", "tied": False, **NO_BIAS,
}  # fmt: skip
FAMILIES: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    # Nemotron-4 15B, arXiv:2402.16819, section 2: rotary, squared ReLU, no biases, untied.
    ("nemotron", {"positions": "rotary", "tied": False, **NO_BIAS}),
    # GPT-NeoX-20B, arXiv:2204.06745, section 2.1.
    ("neox|pythia", {"positions": "rotary", "parallel_residual": True, "tied": False}),
    # Qwen2, arXiv:2407.10671, section 2.2.1: a LLaMA block with a bias on queries, keys, values.
    (r"qwen-?[12](\.5)?\b", {**LLAMA, "qkv_bias": True}),
    # InternLM, github.com/InternLM/InternLM at fa7337b, internlm/model/multi_head_attention.py.
    (r"internlm-7b", {**LLAMA, "qkv_bias": True, "out_bias": True}),
    # Qwen3, arXiv:2505.09388, section 2: no biases, queries and keys normalised.
    (r"qwen-?3", {**LLAMA, "qk_norm": True}),
    # The Ultra-Scale Playbook's: tied where the MLP is narrower than 10,000, which is below 8B,
    # github.com/huggingface/nanotron scripts/scaling_benchmarks.py.
    (r"llama-like-[134]b", {**LLAMA, "tied": True}),
    # Llama 3.2's model card: 1B and 3B share the embedding.
    (r"llama-3\.2-[13]b", {**LLAMA, "tied": True}),
)
"""Families that differ from the two usual blocks; the first pattern that the name matches."""
NOT_A_DECODER: Final = r"not an llm|\b(vit|bert|t5|resnet)\b"


def model_of(run: Run) -> Choice[ModelSpec]:
    """Return the model of a run.

    A gated MLP makes it a LLaMA block (RMSNorm, rotary, no biases, untied), anything else a GPT
    block (LayerNorm, biases, learned positions, tied), unless the model's name is of one of
    `FAMILIES` or the notes say "tied" or "untied". A vocabulary that the source does not give is
    51,200 (GPT-2's, padded) or 32,000 (LLaMA's). Without an MLP width it is 4 h.
    """
    if re.search(NOT_A_DECODER, run.model.lower()):
        raise SkipError("not a decoder language model")
    usual = LLAMA if run.gated_mlp else GPT
    block = next((b for name, b in FAMILIES if re.search(name, run.model.lower())), usual)
    experts = None
    if run.experts and run.experts > 1:
        width = run.moe_ffn or run.ffn_hidden or 4 * run.hidden
        experts = Experts(count=run.experts, top_k=run.experts_topk or 2, ffn=width)
    try:
        model = ModelSpec(
            name=run.model,
            layers=run.layers,
            hidden=run.hidden,
            heads=run.heads,
            kv_heads=run.kv_heads or run.heads,
            head_dim=run.head_dim or run.hidden // run.heads,
            ffn=run.ffn_hidden or run.moe_ffn or 4 * run.hidden,
            vocab=run.vocab or (32_000 if run.gated_mlp else 51_200),
            max_positions=run.seq or 2048,
            experts=experts,
            **block,
        )
    except InputError as error:
        raise SkipError("impossible model", str(error)) from None
    if tied := re.search(r"(un)?tied (copy|embedding)", run.said):
        model = replace(model, tied=tied[1] is None)
    return Choice(model, () if run.vocab else (f"vocab={model.vocab}",))
