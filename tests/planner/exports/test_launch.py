"""Launch flags, by hand from the manuals of the frameworks."""

from dataclasses import replace

import pytest

from plan3d.planner.exports import flags, model_flags
from plan3d.planner.exports.arguments import Arguments
from plan3d.planner.exports.megatron import stage_arguments
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, Recompute, Schedule
from plan3d.simulator.model import Experts
from plan3d.simulator.workload import PRECISIONS
from tests.planner.jobs import job, model

PLAIN = Layout(tp=2, pp=4, dp=2, micro_batch=2, zero=1, shard=2, sp=1)


def after(words: tuple[str, ...], flag: str) -> str:
    return words[words.index(flag) + 1]


def test_megatron() -> None:
    found = flags("megatron", job(16), PLAIN)
    assert after(found, "--tensor-model-parallel-size") == "2"
    assert after(found, "--pipeline-model-parallel-size") == "4"
    assert after(found, "--micro-batch-size") == "2"
    assert after(found, "--global-batch-size") == "16"
    assert {"--sequence-parallel", "--use-distributed-optimizer", "--bf16"} <= set(found)
    assert not {"--use-megatron-fsdp", "--recompute-granularity"} & set(found)


def test_megatron_has_no_scales_by_row() -> None:
    by_row = job(16)
    by_row = replace(by_row, work=replace(by_row.work, precision=PRECISIONS["fp8-rowwise"]))
    with pytest.raises(InputError, match="no precision of Megatron-LM 'fp8-rowwise'"):
        flags("megatron", by_row, PLAIN)


def test_megatron_counts_the_layers_of_block_in_each_chunk() -> None:
    layout = Layout(
        pp=2, vpp=2, schedule=Schedule.INTERLEAVED, recompute=Recompute.BLOCK, recompute_layers=2
    )
    assert after(flags("megatron", job(2), layout), "--recompute-num-layers") == "1"


@pytest.mark.parametrize(
    ("layers", "pp", "stages", "told"),
    [
        (8, 4, (), {}),
        (6, 4, (), {"account-for-embedding-in-pipeline-split": True,
                    "account-for-loss-in-pipeline-split": True}),
        (9, 4, (3, 2, 2, 2), {"decoder-first-pipeline-num-layers": 3,
                              "decoder-last-pipeline-num-layers": 2}),
        # 3, 3, 3, 2: the inner stages are alike
        (11, 4, (), {"decoder-first-pipeline-num-layers": 3,
                     "decoder-last-pipeline-num-layers": 2}),
        (7, 4, (1, 2, 2, 2), {"decoder-first-pipeline-num-layers": 1,
                              "decoder-last-pipeline-num-layers": 2}),
    ],
)  # fmt: skip
def test_megatron_is_told_of_uneven_stages(
    layers: int, pp: int, stages: tuple[int, ...], told: Arguments
) -> None:
    assert stage_arguments(layers, Layout(pp=pp), stages) == told


def test_megatron_is_told_of_any_stages() -> None:
    found = stage_arguments(10, Layout(pp=4), (3, 3, 2, 2))
    assert found == {"pipeline-model-parallel-layout": "Et*3|t*3|t*2|t*2L"}


def test_fsdp_of_megatron() -> None:
    found = flags("megatron", job(8), Layout(dp=8, zero=3, shard=4))
    assert after(found, "--data-parallel-sharding-strategy") == "optim_grads_params"
    assert after(found, "--num-distributed-optimizer-instances") == "2"


def test_torchtitan_steps_are_one_local_batch_with_a_pipeline() -> None:
    found = flags("torchtitan", job(4), Layout(pp=4, micro_batch=2))
    assert "--training.local_batch_size=16" in found
    assert "--parallelism.pipeline_parallel_microbatch_size=2" in found
    found = flags("torchtitan", job(4), Layout(dp=4, micro_batch=2, zero=3, shard=4))
    assert "--training.local_batch_size=2" in found
    assert "--parallelism.data_parallel_shard_degree=4" in found


def test_deepspeed() -> None:
    found = flags("deepspeed", job(8), Layout(dp=8, zero=2, shard=8, recompute=Recompute.FULL))
    assert after(found, "--zero-stage") == "2"
    assert {"--deepspeed", "--no-pipeline-parallel", "--checkpoint-activations"} <= set(found)


def test_any_other_launcher_reads_the_fields() -> None:
    found = flags("any", job(16), PLAIN)
    assert after(found, "--tp") == "2"
    assert after(found, "--micro-batch") == "2"
    assert after(found, "--recompute") == "none"


def test_the_shape_of_the_model() -> None:
    experts = Experts(count=4, top_k=2, ffn=128, dense_first=1)
    found = model_flags("megatron", job(8, model(kv_heads=2, experts=experts)))
    assert after(found, "--num-layers") == "8"
    assert after(found, "--num-query-groups") == "2"
    assert after(found, "--moe-layer-freq") == "([0]*1+[1]*7)"
    assert after(model_flags("any", job(8)), "--hidden") == "64"
    assert model_flags("torchtitan", job(8)) == ()


def test_an_unknown_framework() -> None:
    with pytest.raises(InputError, match="did you mean megatron"):
        flags("megaton", job(8), Layout(dp=8))
    with pytest.raises(InputError, match="did you mean megatron"):
        model_flags("megaton", job(8))
