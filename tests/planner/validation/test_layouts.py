from collections.abc import Callable
from dataclasses import replace

import pytest

from plan3d.planner.validation import Profiles, Run
from plan3d.planner.validation.choice import Choice, SkipError
from plan3d.planner.validation.layouts import global_batch_of, layouts_of
from plan3d.simulator.layout import Layout, Recompute, Schedule

Layouts = Callable[..., Choice[tuple[Layout, ...]]]


@pytest.fixture
def layouts(run: Callable[..., Run], profiles: Profiles) -> Layouts:
    def build(**changes: object) -> Choice[tuple[Layout, ...]]:
        row = run(**changes)
        return layouts_of(row, profiles.software("megatron-2022"), global_batch_of(row).value)

    return build


def test_a_stated_layout_stands(layouts: Layouts) -> None:
    (layout,), assumed = layouts(gpus=64, pp=8, vpp=3, micro_batch=1, global_batch=64)
    assert assumed == ()
    assert (layout.tp, layout.pp, layout.dp, layout.vpp, layout.gpus) == (8, 8, 1, 3, 64)
    assert (layout.schedule, layout.recompute) == (Schedule.INTERLEAVED, Recompute.FULL)


@pytest.mark.parametrize(("pp", "sp"), [(1, 1), (2, 0)])
def test_plain_stages_have_no_sequence_parallelism(
    run: Callable[..., Run], profiles: Profiles, pp: int, sp: int
) -> None:
    row = run(gpus=8, tp=4, pp=pp, sp=1.0, dp=None, micro_batch=1, global_batch=8)
    software = replace(profiles.software("megatron-2022"), plain_stages=True)
    assert layouts_of(row, software, 8).value[0].sp == sp


def test_dp_follows_from_the_gpus(layouts: Layouts) -> None:
    assert layouts(gpus=32, dp=None, global_batch=16).value[0].dp == 4


def test_an_expert_dimension_of_its_own(run: Callable[..., Run], layouts: Layouts) -> None:
    changes = {"gpus": 8, "tp": 1, "ep": 2, "dp": 4, "experts": 8, "framework": "KempnerForge"}
    (layout,), assumed = layouts(**changes, micro_batch=1, global_batch=4)
    assert (layout.dp, layout.ep, layout.etp, assumed) == (8, 2, 1, ("ep folded into dp",))
    assert global_batch_of(run(**changes, micro_batch=1, global_batch=4)).value == 8


def test_defaults_are_said(layouts: Layouts) -> None:
    (layout,), assumed = layouts(zero=None, sp=None, recompute="", framework="LitGPT FSDP")
    assert (layout.zero, layout.shard, layout.recompute) == (3, 1, Recompute.NONE)
    assert set(assumed) == {"zero=3", f"sp={layout.sp}", "recompute=none"}


@pytest.mark.parametrize(
    ("text", "notes", "kind", "layers"),
    [
        ("none", "", Recompute.NONE, 0),
        ("selective", "", Recompute.SELECTIVE, 0),
        ("selective (MLP)", "", Recompute.SELECTIVE, 0),
        ("full", "checkpoint block with 3 layers", Recompute.BLOCK, 3),
        ("none", "checkpoint block with 0 layers", Recompute.NONE, 0),
        ("selective", "AC: selective layer", Recompute.BLOCK, 24),
    ],
)
def test_recompute(layouts: Layouts, text: str, notes: str, kind: Recompute, layers: int) -> None:
    layout = layouts(recompute=text, notes=notes).value[0]
    assert (layout.recompute, layout.recompute_layers) == (kind, layers)


def test_words_that_say_nothing_are_no_default(layouts: Layouts) -> None:
    with pytest.raises(SkipError, match="unknown recomputation some") as reason:
        layouts(recompute="some")
    assert reason.value.particulars == "column recompute is 'some': none, selective or full"


def test_a_free_micro_batch_divides_the_share(layouts: Layouts) -> None:
    found, assumed = layouts(micro_batch=None, gpus=16, dp=2, global_batch=24)
    assert [layout.micro_batch for layout in found] == [1, 2, 3, 4, 6, 12]
    assert assumed == ("micro_batch: the best",)


def test_vpp_is_free_where_the_source_interleaves(layouts: Layouts) -> None:
    shape = {"gpus": 128, "pp": 16, "micro_batch": 1, "global_batch": 64}
    assert [x.vpp for x in layouts(**shape).value] == [1]
    assert [x.vpp for x in layouts(**shape, notes="no interleaving in yaml").value] == [1]
    # 48 layers on 16 stages: 3 a stage, so 1 or 3 chunks of them.
    assert [x.vpp for x in layouts(**shape, notes="interleaving depth not stated").value] == [1, 3]


def test_ends_that_count_as_layers_make_stages_even(layouts: Layouts) -> None:
    """Llama 3 405B: 126 layers on 16 stages, one less in the first and in the last."""
    piped = {"layers": 126, "tp": 8, "pp": 16, "dp": 1, "gpus": 128, "global_batch": 16}
    found = layouts(**piped, micro_batch=1, notes="interleaved schedule").value
    assert {layout.vpp for layout in found} == {1, 2, 4, 8}
    found = layouts(**piped | {"layers": 125}, micro_batch=1, notes="interleaved schedule").value
    assert {layout.vpp for layout in found} == {1}


def test_sharding_over_fewer_gpus_than_those_of_the_gradients(layouts: Layouts) -> None:
    zero3 = {"tp": 1, "dp": 64, "gpus": 64, "global_batch": 256, "zero": 3}
    assert layouts(**zero3).value[0].shard == 64
    assert layouts(**zero3, shard=8).value[0].shard == 8
    assert layouts(**zero3 | {"zero": 0}, shard=8).value[0].shard == 1


@pytest.mark.parametrize(
    ("name", "schedule"),
    [("ZB-1p", Schedule.ZB_H1), ("ZB-2p", Schedule.ZB_H2), ("1F1B", Schedule.ONE_F_ONE_B)],
)
def test_a_schedule_is_what_the_framework_says(
    layouts: Layouts, name: str, schedule: Schedule
) -> None:
    found = layouts(framework=f"Megatron-LM + zero-bubble ({name})", pp=4, gpus=32, global_batch=32)
    assert {layout.schedule for layout in found.value} == {schedule}


def test_what_cannot_be_expressed_is_said(layouts: Layouts) -> None:
    offload = "activation CPU offload ratio alpha="
    assert layouts(notes=f"{offload}0.000").assumed == ()
    assert len(layouts(notes=f"{offload}0.522").assumed) == 1


@pytest.mark.parametrize("changes", [{"tp": None}, {"pp": 3}, {"dp": 2}])
def test_no_layout_no_prediction(layouts: Layouts, changes: dict[str, object]) -> None:
    with pytest.raises(SkipError):
        layouts(**changes)


def test_an_unstated_or_uneven_batch(run: Callable[..., Run]) -> None:
    assert global_batch_of(run(global_batch=None)).value == 4
    uneven = run(gpus=96, tp=2, pp=4, dp=12, micro_batch=4, global_batch=1538)
    assert global_batch_of(uneven).value == 1536  # 32 x 48
