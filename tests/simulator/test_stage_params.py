"""Parameters of the stages: what they add up to, and who holds copies."""

from dataclasses import replace

import numpy as np
import pytest

from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.parameters import (
    embedding_params,
    layer_params,
    position_params,
    total_params,
)
from plan3d.simulator.software import Software
from plan3d.simulator.stage_params import StageParams, stage_params, sync_ranks
from tests.simulator.jobs import GPT, LATENT, LLAMA, MIXTURE, MODELS, PLAIN, one


def stage(
    model: ModelSpec, layout: Layout, layers: float, *, first: bool = False, last: bool = False
) -> StageParams:
    return stage_params(model, PLAIN, one(layout), layers, first=first, last=last)


def total(part: StageParams) -> float:
    return float(part.blocks[0] + part.experts[0] + part.ends[0])


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_one_stage_is_the_model(model: ModelSpec) -> None:
    found = stage(model, Layout(), model.layers, first=True, last=True)
    assert total(found) == total_params(model)
    assert found.tied_copy[0] == 0


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_stages_add_up_to_the_model_and_its_tied_copy(model: ModelSpec) -> None:
    layout, per = Layout(pp=4), model.layers / 4
    ends = stage(model, layout, per, first=True), stage(model, layout, per, last=True)
    middle = stage(model, layout, per)
    copy = embedding_params(model) if model.tied else 0
    assert total(ends[0]) + 2 * total(middle) + total(ends[1]) == total_params(model) + copy
    assert ends[1].tied_copy[0] == copy
    assert middle.ends[0] == ends[0].tied_copy[0] == 0


def test_tensor_parallelism_cuts_matrices_and_not_norms() -> None:
    """LLaMA has no biases: per layer two norms are whole; embedding and head are cut."""
    found = stage(LLAMA, Layout(tp=4), 16.0, first=True, last=True)
    norms = 16 * 2 * 1024
    assert found.blocks[0] == (16 * layer_params(LLAMA, moe=False).total - norms) / 4 + norms
    assert found.ends[0] == 2 * 32000 * 1024 / 4 + 1024


@pytest.mark.parametrize(
    ("software", "pp", "embedding", "head"),
    [
        pytest.param(replace(PLAIN, whole_embedding=True), 1, 1, 4, id="a whole embedding"),
        pytest.param(replace(PLAIN, plain_stages=True), 1, 4, 4, id="no pipeline"),
        pytest.param(replace(PLAIN, plain_stages=True), 2, 4, 1, id="a plain stage"),
    ],
)
def test_ends_may_be_whole(software: Software, pp: int, embedding: int, head: int) -> None:
    """Each on how many ranks of four it is cut over: 32,000 x 1,024 numbers, and a norm."""
    table = one(Layout(tp=4, pp=pp))
    ends = [
        stage_params(LLAMA, software, table, 8.0, first=first, last=not first).ends[0]
        for first in (True, False)
    ]
    assert ends == [32000 * 1024 / embedding, 32000 * 1024 / head + 1024]


def test_the_vocabulary_is_padded() -> None:
    software = replace(PLAIN, vocab_multiple=512)
    found = stage_params(GPT, software, one(Layout(tp=2)), 12.0, first=True, last=False)
    assert found.ends[0] == 1024 * 512 / 2 + position_params(GPT)


def test_experts_are_cut_by_their_own_axes() -> None:
    """14 layers of 8 experts of 3 * 1024 * 1408; 2 of the 16 layers are dense."""
    found = stage(MIXTURE, Layout(tp=4, ep=4, etp=2, dp=2), 16.0, first=True, last=True)
    assert found.experts[0] == 14 * 8 * 3 * 1024 * 1408 / 8
    assert found.largest_experts[0] == found.experts[0] / 14
    middle = stage(MIXTURE, Layout(pp=4), 4.0)
    assert middle.experts[0] == 4 * 8 * 3 * 1024 * 1408
    first = stage(MIXTURE, Layout(pp=4), 4.0, first=True)
    assert first.experts[0] == middle.experts[0] / 2


def test_every_second_layer_has_experts() -> None:
    assert MIXTURE.experts is not None
    model = replace(MIXTURE, experts=replace(MIXTURE.experts, dense_first=0, every=2))
    assert total(stage(model, Layout(), 16.0, first=True, last=True)) == total_params(model)
    quarter = stage(model, Layout(pp=4), 4.0)
    assert quarter.experts[0] == 2 * 8 * 3 * 1024 * 1408


def test_the_largest_block() -> None:
    """ZeRO-3 gathers the dense block of a dense model, of a mixture the heavier one."""
    dense = layer_params(LLAMA, moe=False).total
    assert stage(LLAMA, Layout(), 16.0).largest_block[0] == dense
    assert stage(LLAMA, Layout(), 16.0).largest_experts[0] == 0
    parts = layer_params(LATENT, moe=True)
    rest = max(layer_params(LATENT, moe=False).total, parts.tensor + parts.replicated)
    assert stage(LATENT, Layout(), 16.0).largest_block[0] == rest


def test_where() -> None:
    table = LayoutTable.of([Layout(), Layout(pp=2)])
    a = stage_params(GPT, PLAIN, table, 12.0, first=True, last=True)
    b = stage_params(GPT, PLAIN, table, 6.0, first=True, last=False)
    chosen = a.where(table.pp < 2, b)
    assert chosen.blocks.tolist() == [a.blocks[0], b.blocks[1]]


def test_copies() -> None:
    """2 * 4 * 8 = 64 ranks: dense blocks have dp * cp = 32 copies, experts 64 / (4 * 2) = 8."""
    table = LayoutTable.of([Layout(tp=2, cp=4, dp=8, ep=4, etp=2)])
    blocks, experts = sync_ranks(table)
    assert np.array_equal((blocks, experts), ([32], [8]))
