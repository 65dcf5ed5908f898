from dataclasses import replace

import pytest

from plan3d.simulator.errors import InputError
from plan3d.simulator.model import FIELDS, Experts, ModelSpec
from tests.simulator.jobs import GPT, LATENT, LLAMA, MIXTURE


@pytest.mark.parametrize("name", ["layers", "hidden", "heads", "kv_heads", "head_dim", "ffn"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, 10**10, "12"])
def test_a_bad_size_is_named(name: str, value: int) -> None:
    with pytest.raises(InputError, match=f"model custom: {name} is {value!r}"):
        replace(GPT, **{name: value})  # type: ignore[arg-type]


def test_heads_that_do_not_group() -> None:
    with pytest.raises(InputError, match="8 heads do not divide into 3"):
        replace(GPT, kv_heads=3)


@pytest.mark.parametrize("top_k", [0, 9])
def test_top_k_of_the_experts(top_k: int) -> None:
    with pytest.raises(InputError, match=f"top_k is {top_k}, but must be between 1 and the 8"):
        replace(GPT, experts=Experts(count=8, top_k=top_k, ffn=64))


@pytest.mark.parametrize(("dense_first", "every"), [(12, 1), (-1, 1), (0, 0), (0, 13)])
def test_a_mixture_without_expert_layers(dense_first: int, every: int) -> None:
    experts = Experts(count=8, top_k=2, ffn=64, dense_first=dense_first, every=every)
    with pytest.raises(InputError, match=f"dense_first is {dense_first} and every is {every}"):
        replace(GPT, experts=experts)


@pytest.mark.parametrize(
    ("dense_first", "every", "moe"),
    [(0, 1, 12), (3, 1, 9), (0, 2, 6), (1, 2, 5)],
)
def test_layers_with_experts(dense_first: int, every: int, moe: int) -> None:
    experts = Experts(count=8, top_k=2, ffn=64, dense_first=dense_first, every=every)
    found = replace(GPT, experts=experts)
    assert (found.moe_layers, found.dense_layers) == (moe, 12 - moe)


def test_a_dense_model_has_no_expert_layers() -> None:
    assert (GPT.moe_layers, GPT.dense_layers) == (0, 12)


def test_widths_of_a_head() -> None:
    assert (LLAMA.qk_dim, LLAMA.v_dim) == (64, 64)
    assert (LATENT.qk_dim, LATENT.v_dim) == (64 + 32, 64)


def test_fields_are_those_of_a_model() -> None:
    assert {"layers", "hidden", "experts", "latent"} <= set(FIELDS)
    assert set(FIELDS) == set(ModelSpec.__dataclass_fields__)
    assert MIXTURE.experts is not None
