"""What another tool is asked about published runs, and the file of what it says.

The tool itself is not here: the mapping is checked by hand, the file against what is published.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plan3d.planner.validation import Run, Validation, published_runs, validate
from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.rows import Case, case_of
from plan3d.simulator.layout import Layout, Schedule
from tests.planner.validation.test_accuracy import Shipped

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
Build = Callable[..., Run]


@pytest.fixture
def inputs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("calculon_inputs")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("other_tools")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("accuracy_tools")


@pytest.fixture(scope="module")
def result() -> Validation:
    return validate(published_runs(), Shipped())


def case(run: Run) -> Case:
    return case_of(run, Shipped())


def asked(inputs: Any, run: Run, **settings: object) -> dict[str, Any]:
    one = case(run)
    found: dict[str, Any] = inputs.execution(one, one.layouts[0], inputs.Settings(**settings))
    return found


def test_a_plain_model_is_taken_as_it_is(inputs: Any, run: Build) -> None:
    """22B of Korthikanti et al.: what models/megatron-22B.json of Calculon says."""
    assert inputs.application(case(run())) == {
        "hidden": 6144, "feedforward": 24576, "seq_size": 2048, "attn_heads": 64, "attn_size": 96,
        "num_blocks": 48,
    }  # fmt: skip


def test_a_gated_mlp_is_a_wider_plain_one(inputs: Any, run: Build) -> None:
    """Three matrices of f x h are two of 3/2 f x h: 13,824 of LLaMA-13B are 20,736."""
    gated = run(hidden=5120, heads=40, ffn_hidden=13824, gated_mlp=1, tp=8)
    assert inputs.application(case(gated))["feedforward"] == 20736


def test_an_execution_is_that_of_calculons_own_validation(inputs: Any, run: Build) -> None:
    """validation/seqsel/tab5/megatron-22B_full.json, but the network where only one is used."""
    assert asked(inputs, run()) == {
        "num_procs": 8, "tensor_par": 8, "pipeline_par": 1, "data_par": 1, "tensor_par_net": 0,
        "pipeline_par_net": 0, "data_par_net": 0, "batch_size": 4, "microbatch_size": 4,
        "datatype": "float16", "fused_activation": False, "attention_type": "multihead",
        "activation_recompute": "full", "pipeline_interleaving": 1, "optimizer_sharding": False,
        "tensor_par_comm_type": "ar", "tensor_par_overlap": "none", "seq_par_ag_redo": False,
        "data_par_overlap": False, "weight_offload": False, "activations_offload": False,
        "optimizer_offload": False, "training": True,
    }  # fmt: skip


def test_sequence_parallelism_gathers_again_unless_all_is_recomputed(
    inputs: Any, run: Build
) -> None:
    selective = asked(inputs, run(sp=1, recompute="selective"))
    assert selective["tensor_par_comm_type"] == "rs_ag"
    assert selective["seq_par_ag_redo"]
    assert selective["activation_recompute"] == "attn_only"
    full = asked(inputs, run(sp=1, recompute="full"))
    assert full["tensor_par_comm_type"] == "rs_ag"
    assert not full["seq_par_ag_redo"]


def test_choices_apply_only_where_there_is_something_to_choose(inputs: Any, run: Build) -> None:
    every = {"tensor_par_overlap": "ring", "data_par_overlap": True, "scatter_gather": True}
    alone = asked(inputs, run(tp=1, gpus=1), **every)
    assert alone["tensor_par_overlap"] == "none"
    assert not alone["data_par_overlap"]
    assert alone["tensor_par_comm_type"] == "ar"
    piped = asked(inputs, run(tp=2, pp=2, dp=2, global_batch=8), **every)
    assert piped["tensor_par_overlap"] == "ring"
    assert piped["data_par_overlap"]
    assert piped["tensor_par_comm_type"] == "p2p_rs_ag"


@pytest.mark.parametrize(("zero", "dp", "sharded"), [(0, 2, False), (1, 2, True), (2, 2, True)])
def test_zero_is_optimizer_sharding(
    inputs: Any, run: Build, zero: int, dp: int, sharded: bool
) -> None:
    assert (
        asked(inputs, run(tp=4, dp=dp, zero=zero, global_batch=8))["optimizer_sharding"] is sharded
    )


def test_fused_attention_keeps_no_scores_but_takes_no_longer(inputs: Any, run: Build) -> None:
    flash = run(recompute="none", notes="kernel: flash_attention2, rms kernel")
    one = case(flash)
    step, memory = (
        inputs.execution(one, one.layouts[0], settings)["activation_recompute"]
        for settings in (inputs.Settings(), inputs.Settings().for_memory)
    )
    assert (step, memory) == ("none", "attn_only")
    plain = asked(inputs, run(recompute="none"), flash_recomputes=True)
    assert plain["activation_recompute"] == "none", "there is nothing fused in Megatron of 2022"


@pytest.mark.parametrize(
    ("tp", "pp", "dp", "networks"),
    [
        (8, 1, 1, (0, 0, 0)),  # one node
        (2, 2, 2, (0, 0, 0)),
        (8, 4, 2, (0, 1, 1)),  # tp fills the node
        (2, 4, 4, (0, 1, 0)),  # 2 x 4 fill it
        (4, 1, 4, (0, 1, 1)),  # replicas in two nodes
    ],
)
def test_a_dimension_is_inside_the_nodes_if_all_of_it_is(
    inputs: Any, tp: int, pp: int, dp: int, networks: tuple[int, ...]
) -> None:
    assert inputs.networks_of(Layout(tp=tp, pp=pp, dp=dp), tp * pp * dp) == networks


def test_the_bandwidth_is_that_of_the_adapters(inputs: Any, run: Build) -> None:
    """Eight of 200 Gbit/s for eight GPUs are 25 GB/s each, four are 12.5."""
    for words, gb_s in (("8x200Gb/s HDR", 25.0), ("4x200G: 800 Gb/s per node", 12.5)):
        one = case(run(gpus=16, dp=2, global_batch=8, inter_node=words))
        assert inputs.bandwidth_gb_s(one, inputs.Settings()) == pytest.approx(gb_s)
        assert inputs.bandwidth_gb_s(one, inputs.Settings(shipped_network=True)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gpu": "h100-80g-sxm"}, "another GPU"),
        ({"experts": 8, "experts_topk": 2}, "experts"),
        ({"tp": 4, "cp": 2}, "context parallelism"),
        ({"tp": 1, "dp": 8, "zero": 3, "global_batch": 32}, "ZeRO-3"),
        ({"precision": "fp32"}, "precision"),
        ({"gpus": 16, "tp": 16}, "over nodes"),
        ({"gpus": 8, "gpus_per_node": 4, "dp": 2, "tp": 4, "global_batch": 8}, "eight GPUs"),
        ({"notes": "block with 3 layers"}, "some layers"),
    ],
)
def test_what_it_has_no_word_for(
    inputs: Any, run: Build, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(SkipError, match=reason):
        inputs.check(case(run(**changes)))


def test_zero_bubble_schedules_it_has_no_word_for(inputs: Any, run: Build) -> None:
    inputs.check(case(run()))
    one = case(run())
    other = replace(one, layouts=(replace(one.layouts[0], schedule=Schedule.ZB_H1),))
    with pytest.raises(SkipError, match="zero-bubble"):
        inputs.check(other)


class Knows:
    """A tool that knows what it says of each micro-batch."""

    def __init__(self, script: Any, said: dict[int, tuple[float, bool]]) -> None:
        self.script, self.said = script, said

    def answer(self, _: object, inputs: dict[str, Any], *_gb_s: float | None) -> Any:
        if inputs["microbatch_size"] not in self.said:
            raise SkipError("refused by the tool")
        time_s, fits = self.said[inputs["microbatch_size"]]
        size = 1e9 * inputs["microbatch_size"]
        return self.script.Answer(inputs=inputs, time_s=time_s, memory_bytes=size, fits=fits)


def test_an_open_micro_batch_is_the_fastest_that_fits(script: Any, run: Build) -> None:
    """Of 1, 2 and 4, which divide the batch of 4: 4 does not fit, and 2 is faster than 1."""
    tool = Knows(script, {1: (3.0, True), 2: (2.0, True), 4: (1.0, False)})
    row = script.predictions(tool, case(run(micro_batch=None)))
    assert (row["predicted_s"], row["predicted_bytes"]) == ("2", "2e+09")
    assert (row["slowest_s"], row["micro_batch_1_s"]) == ("3", "3")
    assert row["settings"] == "t8 p1 d1 b2 v1 ar full net 0/0/0 25GB/s"


def test_if_none_fits_it_is_the_smallest(script: Any, run: Build) -> None:
    tool = Knows(script, {2: (2.0, False), 4: (1.0, False)})
    found = script.answers(tool, case(run(micro_batch=None)), script.Settings(),
                           case(run(micro_batch=None)).layouts)  # fmt: skip
    assert script.fastest(found).time_s == 2.0


def test_a_run_that_it_refuses_says_so(script: Any, run: Build) -> None:
    with pytest.raises(SkipError, match="refused"):
        script.predictions(Knows(script, {}), case(run()))


def test_another_version_of_the_tool_is_noticed(script: Any) -> None:
    with pytest.raises(SystemExit, match="not the version"):
        script.verify(Knows(script, {1: (1.0, True), 4: (1.0, True)}))


def test_every_row_of_the_file_is_a_published_run(page: Any, script: Any) -> None:
    runs = {run.id: run for run in published_runs().rows}
    assert page.told().keys() <= runs.keys()
    for name, row in page.told().items():
        assert tuple(row) == script.COLUMNS
        assert row["version"] == script.VERSION
        assert runs[name].gpu == script.GPU
        assert bool(row["why_not"]) != bool(row["predicted_s"]), name
        assert bool(row["predicted_bytes"]) == bool(row["predicted_s"]), name


def test_every_scored_run_on_its_gpu_is_in_the_file(page: Any, result: Validation) -> None:
    scored = {p.run.id for p in result.predictions if p.run.gpu == "a100-80g-sxm"}
    assert scored == page.told().keys() & {p.run.id for p in result.predictions}


def possible(script: Any, inputs: Any, one: Case) -> set[tuple[str, str]]:
    """Return the settings and the reasons that a row of the file may have."""
    try:
        inputs.check(one)
    except SkipError as reason:
        return {("", str(reason))}
    asked = (inputs.execution(one, layout, inputs.Settings()) for layout in one.layouts)
    return {(script.described(one, each), "") for each in asked}


def test_the_file_has_what_the_mapping_asks_today(page: Any, script: Any, inputs: Any) -> None:
    """The inputs that it was asked with are those of the mapping: else it is out of date."""
    for run in published_runs().rows:
        if row := page.told().get(run.id):
            assert (row["settings"], row["why_not"]) in possible(script, inputs, case(run)), run.id


def test_its_own_validation_is_in_the_file(page: Any, script: Any) -> None:
    """Runs 1 to 8 are the four models with full recomputation and with selective, as printed."""
    published = sorted(x for row in script.VALIDATION for x in row[-2:])
    found = sorted(
        round(float(row["predicted_s"]), 2)
        for name, row in page.told().items()
        if name.startswith("korth22-0")
    )
    assert found == published


def test_pooled_and_mean_over_suites_are_those_of_the_rows(page: Any, result: Validation) -> None:
    """From the figures of the table itself, which are rounded to a tenth."""
    rows = [line.strip("| ").split(" | ") for line in page.compared(result.predictions)]
    suites = [row for row in rows if row[0].startswith("suite ")]
    pooled = next(row for row in rows if row[1].startswith("pooled"))
    macro = next(row for row in rows if row[1].startswith("mean over suites"))
    runs = [int(row[2]) for row in suites]
    assert sum(runs) == int(pooled[2]) == int(macro[2])
    for column in (3, 4, 5):
        errors = [float(row[column].split(" %")[0]) for row in suites]
        weighted = sum(n * x for n, x in zip(runs, errors, strict=True)) / sum(runs)
        assert float(pooled[column].split(" %")[0]) == pytest.approx(weighted, abs=0.11)
        assert float(macro[column].split(" %")[0]) == pytest.approx(
            sum(errors) / len(errors), abs=0.11
        )


def test_as_mapped_is_what_the_table_of_scores_says(page: Any, result: Validation) -> None:
    scores = [line.strip("| ").split(" | ") for line in page.compared(result.predictions)]
    first = next(
        line.strip("| ").split(" | ")
        for line in page.choices(result.predictions)
        if "as mapped" in line
    )
    said = {row[0]: row[3].split(" (")[0] for row in scores}
    names = ("Megatron-LM 2021, table 1", "suite vtrain-multi", "suite vtrain-single")
    assert first[1:4] == [said[name] for name in names]
    assert first[4:] == [said[f"all, each {one} counted once"] for one in ("run", "suite")]
