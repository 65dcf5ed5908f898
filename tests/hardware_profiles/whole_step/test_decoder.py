"""The decoder against the simulator's counts: parameters, and bytes kept for backward."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d import hardware_profiles
from plan3d.hardware_profiles.whole_step.grid import SOFTWARE, Case, Style
from plan3d.planner import models
from plan3d.simulator.activations import block_activations
from plan3d.simulator.context import Context
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import LayoutTable, Recompute
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.parameters import end_params, layer_params, total_params
from plan3d.simulator.workload import Workload

torch = pytest.importorskip("torch")

from plan3d.hardware_profiles.whole_step.decoder import Decoder, angles, turned  # noqa: E402
from plan3d.hardware_profiles.whole_step.saved import saved_bytes  # noqa: E402

NONE, SELECTIVE, FULL = Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL


def case(style: Style, h: int, a: int, kv: int, f: int, s: int, b: int) -> Case:
    return Case(
        style=style, hidden=h, layers=1, heads=a, kv_heads=kv, ffn=f, vocab=64, seq=s, micro_batch=b
    )


SHAPES = (
    case("gpt", 64, 4, 4, 256, 32, 1),
    case("gpt", 64, 4, 4, 256, 64, 3),
    case("gpt", 128, 2, 2, 512, 32, 2),
    case("gpt", 96, 4, 2, 200, 48, 2),
    case("gpt", 128, 8, 1, 320, 96, 1),
    case("llama", 64, 4, 4, 176, 32, 1),
    case("llama", 64, 4, 2, 176, 64, 3),
    case("llama", 128, 8, 1, 352, 32, 2),
    case("llama", 96, 6, 3, 512, 80, 2),
    case("llama", 192, 3, 3, 256, 48, 1),
)
"""Many heads and few, grouped or not, wide MLPs and narrow ones, no two sizes alike."""


def biased(shape: Case) -> ModelSpec:
    """The other style of biases: they are parameters, so nothing more is kept."""
    model = shape.model
    return replace(model, qkv_bias=not model.qkv_bias, mlp_bias=not model.mlp_bias)


MODELS = [(shape, shape.model) for shape in SHAPES] + [(s, biased(s)) for s in SHAPES[2::3]]


@pytest.mark.parametrize("recompute", [NONE, SELECTIVE, FULL], ids=lambda r: r.name)
@pytest.mark.parametrize(("shape", "model"), MODELS, ids=lambda x: str(x)[:40])
def test_a_block_keeps_what_the_simulator_says(
    shape: Case, model: ModelSpec, recompute: Recompute
) -> None:
    """To the byte, but for statistics of the norms: of each token, and of neither the width.

    Two norms a block. LayerNorm on a CPU keeps a mean and an inverse deviation of 2 bytes each,
    RMSNorm as it is written an inverse of 4 bytes. A block that is replayed keeps neither.
    """
    found = simulated(shape, model)
    decoder = Decoder(model, recompute, dtype=torch.bfloat16)
    stream = torch.randn(
        shape.micro_batch, shape.seq, shape.hidden, dtype=torch.bfloat16, requires_grad=True
    )
    turns = angles(shape.seq, model.head_dim, stream) if model.positions == "rotary" else ()
    block = decoder.blocks[0]
    run = block if recompute != FULL else lambda *x: replayed(block, *x)
    kept = saved_bytes(lambda: run(stream, *turns), [*decoder.parameters(), *turns])
    statistics = 0 if recompute == FULL else 2 * 4 * shape.micro_batch * shape.seq
    assert kept == found[recompute] + statistics


def replayed(block: object, *inputs: object) -> object:
    from plan3d.hardware_profiles.whole_step.decoder import checkpointed  # noqa: PLC0415

    return checkpointed(block, *inputs)


def simulated(shape: Case, model: ModelSpec) -> dict[Recompute, float]:
    """What the simulator says that a block keeps, by recomputation [bytes]."""
    context = Context(
        model=model,
        work=Workload(seq=shape.seq, global_batch=shape.micro_batch),
        cluster=hardware_profiles.load("dgx-a100-80g"),
        software=hardware_profiles.software(SOFTWARE[shape.style]),
    )
    found = block_activations(context, LayoutTable.of([shape.layout]))
    return {
        NONE: found.whole_bytes[0],
        SELECTIVE: found.selective_bytes[0],
        FULL: found.input_bytes[0],
    }


ZOO = (
    "gpt2", "gpt350m", "gpt1.3b", "gpt175b", "opt-66b", "llama-7b", "llama-2-70b", "llama-3-8b",
    "llama-3.1-405b", "qwen2.5-7b",
)  # fmt: skip


@pytest.mark.parametrize("name", ZOO)
def test_it_has_the_parameters_that_the_simulator_counts(name: str) -> None:
    """Block by block and at the ends, without memory for any of them."""
    model = models.load(name).model
    decoder = Decoder(model, NONE, device="meta", dtype=torch.bfloat16)
    assert count(decoder) == total_params(model)
    assert {count(block) for block in decoder.blocks} == {layer_params(model, moe=False).total}
    ends = end_params(model)
    assert count(decoder.embedding) == ends.embedding
    assert (0 if decoder.positions is None else count(decoder.positions)) == ends.positions
    assert (0 if decoder.head is None else count(decoder.head)) == ends.head
    assert count(decoder.norm) == ends.final


def count(module: object) -> int:
    return sum(p.numel() for p in module.parameters())  # type: ignore[attr-defined]


@pytest.mark.parametrize("style", ["gpt", "llama"])
def test_recomputation_changes_no_gradient(style: Style) -> None:
    """The same numbers in the same order: equal bit for bit."""
    shape = replace(case(style, 64, 4, 2, 192, 32, 2), layers=2)
    tokens, targets = torch.randint(64, (2, 2, 32))
    found = {}
    for recompute in (NONE, SELECTIVE, FULL):
        torch.manual_seed(1)
        decoder = Decoder(shape.model, recompute, dtype=torch.float32)
        decoder(tokens, targets).backward()
        found[recompute] = [p.grad for p in decoder.parameters()]
    for recompute in (SELECTIVE, FULL):
        for mine, plain in zip(found[recompute], found[NONE], strict=True):
            assert torch.equal(mine, plain)
    assert all(gradient.abs().max() > 0 for gradient in found[NONE])


def test_an_untrained_decoder_knows_nothing() -> None:
    """The loss is that of guessing: the logarithm of the vocabulary."""
    shape = case("llama", 64, 4, 4, 176, 32, 4)
    decoder = Decoder(shape.model, NONE, dtype=torch.float32)
    loss = decoder(*torch.randint(64, (2, 4, 32)))
    assert loss.item() == pytest.approx(np.log(64), abs=0.1)


def test_no_token_sees_the_next() -> None:
    decoder = Decoder(case("gpt", 64, 4, 4, 176, 16, 1).model, NONE, dtype=torch.float32)
    stream = torch.randn(1, 16, 64)
    changed = stream.clone()
    changed[:, 9:] += 1
    with torch.no_grad():
        before, after = (decoder.blocks[0](x) for x in (stream, changed))
    assert torch.equal(before[:, :9], after[:, :9])
    assert not torch.equal(before[:, 9:], after[:, 9:])


def test_rotary_scores_depend_on_the_distance_only() -> None:
    """RoFormer's equation 11: queries and keys that are alike at all positions."""
    query, key = (torch.randn(1, 1, 1, 8).expand(1, 12, 1, 8) for _ in range(2))
    turns = angles(12, 8, query)
    scores = (turned(query, *turns)[0, :, 0] @ turned(key, *turns)[0, :, 0].T).numpy()
    for distance in range(-11, 12):
        along = np.diagonal(scores, distance)
        assert along == pytest.approx(np.full_like(along, along[0]), abs=1e-5)


@pytest.mark.parametrize("name", ["mixtral-8x7b", "deepseek-v3", "gpt-neox-20b", "qwen3-8b"])
def test_what_is_not_written_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} has .* which the decoder .* has not"):
        Decoder(models.load(name).model, NONE, device="meta")
    model = case("gpt", 64, 4, 4, 256, 32, 1).model
    with pytest.raises(InputError, match="recompute=block"):
        Decoder(model, Recompute.BLOCK, device="meta")
