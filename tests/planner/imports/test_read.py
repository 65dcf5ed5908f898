"""Configurations as people write them, and what cannot be read."""

import json

import pytest

from plan3d.planner.imports import READERS, Asked, read
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, Recompute, Schedule


def test_a_recipe_of_bridge() -> None:
    text = """
cfg.model = GPTProvider175B(tensor_model_parallel_size=4, pipeline_model_parallel_size=8,
    virtual_pipeline_model_parallel_size=6, sequence_parallel=True, seq_length=2048)
cfg.train.micro_batch_size, other = 2, 3
cfg.train.global_batch_size = 2048
cfg.ddp.use_distributed_optimizer = True
cfg.ddp.overlap_grad_reduce = True
cfg.mixed_precision = get_mixed_precision_config("bf16_mixed")
cfg.optimizer.lr = 0.9e-4
"""
    found = read("megatron-bridge", text, Asked(gpus=64))
    assert found.layout == Layout(
        tp=4, pp=8, vpp=6, dp=2, sp=1, zero=1, shard=2, schedule=Schedule.INTERLEAVED
    )
    assert (found.precision, found.seq, found.unused) == ("bf16", 2048, ("lr 9e-05",))
    assert "no --micro-batch-size: 1" in found.assumed


def test_a_configuration_of_deepspeed() -> None:
    config = {
        "train_micro_batch_size_per_gpu": 4,
        "gradient_accumulation_steps": 2,
        "zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu"}},
        "bf16": {"enabled": True},
        "optimizer": {"type": "Adam"},
    }
    found = read("deepspeed", json.dumps(config), Asked(gpus=8))
    assert found.layout == Layout(dp=8, micro_batch=4, zero=3, shard=8, offload=1.0)
    assert (found.global_batch, found.precision) == (64, "bf16")
    config["train_batch_size"] = 128
    with pytest.raises(InputError, match="leave one of them out"):
        read("deepspeed", json.dumps(config), Asked(gpus=8))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deepspeed", "{}"),
        ("deepspeed", '{"version": "0.1.0", "job": {}, "plans": []}'),
        ("nanotron", "a: 1"),
        ("torchtitan-toml", "[job]\nname = 'x'"),
    ],
)
def test_what_holds_nothing_known_is_no_configuration(name: str, text: str) -> None:
    with pytest.raises(InputError, match="nothing in it is known"):
        read(name, text, Asked(gpus=None if name == "nanotron" else 8))


def test_one_rank_of_nanotron_has_nothing_to_scatter_or_to_schedule() -> None:
    text = "parallelism: {dp: 8, tp: 1, pp: 1, tp_mode: REDUCE_SCATTER, pp_engine: afab}"
    assert read("nanotron", text).layout == Layout(dp=8)


def test_flags_of_megatron_deepspeed() -> None:
    text = "deepspeed --num_gpus 8 t.py --ds-sequence-parallel-size 8 --zero-stage 3 --bf16"
    found = read("deepspeed", text)
    assert found.layout == Layout(cp=8, cp_all_to_all=1, zero=3, shard=8)


def test_torchtitan() -> None:
    text = """
[model]
name = "llama3"
flavor = "70B"
[training]
local_batch_size = 8
seq_len = 8192
[parallelism]
tensor_parallel_degree = 8
pipeline_parallel_degree = 4
pipeline_parallel_layers_per_stage = 10
pipeline_parallel_first_stage_less_layers = 0
pipeline_parallel_last_stage_less_layers = 0
pipeline_parallel_schedule = "Interleaved1F1B"
[activation_checkpoint]
mode = "full"
[metrics]
log_freq = 10
"""
    found = read("torchtitan", text, Asked(gpus=64))
    assert found.layout == Layout(
        tp=8, pp=4, dp=2, vpp=2, sp=1, zero=2, shard=2, recompute=Recompute.FULL,
        schedule=Schedule.INTERLEAVED,
    )  # fmt: skip
    assert (found.model, found.global_batch) == ("llama-3-70b", 16)
    assert found.unused == ("metrics.log_freq 10",)
    again = "--parallelism.tensor_parallel_degree=8 --parallelism.data-parallel-shard-degree 4"
    assert read("torchtitan", f"train.py {again}").layout.shard == 4
    with pytest.raises(InputError, match="give --gpus"):
        read("torchtitan", text)
    few = text.replace("[parallelism]", "[parallelism]\ndata_parallel_shard_degree = 3")
    with pytest.raises(InputError, match="is not the 2 replicas"):
        read("torchtitan", few, Asked(gpus=64))
    with pytest.raises(InputError, match="are 9 stages"):
        read("torchtitan", text.replace("stage = 10", "stage = 9"), Asked(gpus=64))


def test_nanotron() -> None:
    text = """
parallelism: {dp: 2, tp: 2, pp: 2, pp_engine: 1f1b, tp_mode: REDUCE_SCATTER}
tokens: {micro_batch_size: 4, batch_accumulation_per_replica: 8, sequence_length: 2048}
optimizer: {zero_stage: 1}
general: {project: mine}
"""
    found = read("nanotron", text)
    assert found.layout == Layout(
        tp=2, pp=2, dp=2, micro_batch=4, zero=1, shard=2, sp=1, tp_overlap=0
    )
    assert (found.global_batch, found.unused) == (64, ("general.project mine",))
    with pytest.raises(InputError, match="leave --gpus out"):
        read("nanotron", text, Asked(gpus=16))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("megatron-bridge", "def f(:", "not Python"),
        ("nemo", "\x00", "not Python"),
        ("deepspeed", "{", "not JSON"),
        ("deepspeed", '{"zero_optimization": {"stage": "auto3"}}', "must be a whole number"),
        ("torchtitan-toml", "[a\n[b", "not TOML"),
        ("nanotron", "a: [", "not YAML"),
        ("nanotron", "- a", "has sections"),
        ("nanotron", "a: &x {b: 1}\nc: *x", "anchors"),
        ("nanotron", "parallelism: {tp: two}", "must be a whole number"),
        ("megatorn", "", "did you mean megatron"),
    ],
)
def test_what_cannot_be_read(name: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(name, text, Asked(gpus=8))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("text", ["", "\x00", "(" * 5000, "[" * 5000, "a: " * 500, "é \u2028 = 1"])
def test_rubbish_is_read_or_refused(name: str, text: str) -> None:
    try:
        gpus = read(name, text, Asked(gpus=1)).layout.gpus
    except InputError:
        return
    assert gpus == 1
