"""The names that exports use are fields of the frameworks.

framework_fields.json holds those of released packages (benchmarks/framework_fields.py).
"""

import ast
import json
import tomllib
from pathlib import Path

import pytest
import yaml

from plan3d.planner.exports import export, flags
from plan3d.planner.exports.bridge import DDP, MODEL, NEGATED, OPTIMIZER, PARALLEL, TRAIN
from plan3d.planner.exports.megatron import layout_arguments, model_arguments
from plan3d.planner.exports.torchtitan import flat, sections
from plan3d.simulator.layout import Layout, Recompute, Schedule
from tests.planner.exports.plans import LLAMA, MOE, drawn, plan
from tests.planner.jobs import job

RECORDED = json.loads(Path(__file__).with_name("framework_fields.json").read_text("utf-8"))
LATER = {"recompute_layer"}
"""Names of nanotron's repository that its last release does not have."""
INTERLEAVED = Layout(
    tp=2, pp=2, dp=2, vpp=2, sp=1, zero=1, shard=2, micro_batch=2, schedule=Schedule.INTERLEAVED,
    recompute=Recompute.FULL,
)  # fmt: skip


def fields(package: str, *classes: str) -> set[str]:
    return {name for one in classes for name in RECORDED[package][one]}


CORE = fields("megatron-core 0.16.1", *RECORDED["megatron-core 0.16.1"])
BRIDGE = fields("megatron-bridge 0.3.1", *RECORDED["megatron-bridge 0.3.1"])


def test_fields_of_megatron_core() -> None:
    by_option = {**PARALLEL, **MODEL, **NEGATED, **DDP, **OPTIMIZER}
    of_its_own = {"seq_length", "make_vocab_size_divisible_by", "position_embedding_type",
                  "share_embeddings_and_output_weights", "vocab_size"}  # fmt: skip
    assert set(by_option.values()) - of_its_own <= CORE
    assert of_its_own | set(TRAIN.values()) <= BRIDGE


def test_fields_of_bridge() -> None:
    text = export("megatron-bridge", plan(INTERLEAVED)).text
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            name = node.targets[0].attr
            assert name in CORE | BRIDGE, name
            if isinstance(node.targets[0].value, ast.Attribute):
                assert node.targets[0].value.attr in fields(
                    "megatron-bridge 0.3.1", "ConfigContainer"
                )
        elif isinstance(node, ast.Call):
            used = {keyword.arg for keyword in node.keywords}
            assert used <= set(RECORDED["megatron-bridge 0.3.1"]["CommOverlapConfig"])


def test_sections_of_torchtitan() -> None:
    job_of = job(8, LLAMA)
    for layout in drawn("torchtitan", job_of, 30):
        found = sections(job_of, layout)
        for package, training, parallel in (
            ("torchtitan 0.2.2", "Training", "Parallelism"),
            ("torchtitan 0.3.0", "TrainingConfig", "ParallelismConfig"),
        ):
            assert set(found["training"]) <= fields(package, training)
            assert set(found["parallelism"]) <= fields(package, parallel)
    toml = tomllib.loads(export("torchtitan-toml", plan()).text)
    for section, given in toml.items():
        kind = section.title().replace("_", "")  # activation_checkpoint: ActivationCheckpoint
        assert set(given) <= fields("torchtitan 0.2.2", kind)


def test_keys_of_deepspeed() -> None:
    found = json.loads(export("deepspeed", plan(Layout(dp=8, zero=3, shard=8, offload=0.5))).text)
    zero = found["zero_optimization"]
    offload = zero["offload_optimizer"]
    assert set(zero) <= fields("deepspeed 0.19.8", "DeepSpeedZeroConfig")
    assert set(offload) <= fields("deepspeed 0.19.8", "DeepSpeedZeroOffloadOptimizerConfig")
    # the engine reads sequence_parallel_size beside the constants of its keys
    assert set(found) - {"plan3d", "zero_optimization"} <= fields("deepspeed 0.19.8", "keys") | {
        "bf16"
    }


def test_sections_of_nanotron() -> None:
    layout = Layout(tp=2, pp=2, dp=2, sp=1, zero=1, shard=2, recompute=Recompute.FULL)
    found = yaml.safe_load(export("nanotron", plan(layout)).text)
    shape = found["model"].pop("model_config")
    for given, kind in (
        (found["parallelism"], "ParallelismArgs"),
        (found["tokens"], "TokensArgs"),
        (found["optimizer"], "OptimizerArgs"),
        (found["model"], "ModelArgs"),
        (shape, "LlamaConfig"),
    ):
        assert set(given) - LATER <= fields("nanotron 0.4", kind)


def core_values(layout: Layout, moe: bool) -> dict[str, object]:
    """Return the fields of a TransformerConfig that a layout asks for."""
    asked = job(layout.gpus, MOE if moe else LLAMA)
    given = dict(layout_arguments(asked, layout)) | dict(model_arguments(asked))
    named = {**PARALLEL, **MODEL}
    wanted = fields("megatron-core 0.16.1", "TransformerConfig", "ModelParallelConfig")
    return {named[k]: v for k, v in given.items() if k in named and named[k] in wanted}


@pytest.mark.parametrize("moe", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_megatron_core_takes_the_values(moe: bool) -> None:
    config = pytest.importorskip("megatron.core.transformer.transformer_config")
    torch = pytest.importorskip("torch")
    asked = job(16, MOE if moe else LLAMA)
    for layout in drawn("megatron", asked, 60):
        found = config.TransformerConfig(
            **core_values(layout, moe), pipeline_dtype=torch.bfloat16, add_bias_linear=False,
            bf16=True, params_dtype=torch.bfloat16,
        )  # fmt: skip
        assert found.tensor_model_parallel_size == layout.tp
        assert found.virtual_pipeline_model_parallel_size in (None, layout.vpp)


def test_torchtitan_takes_the_values() -> None:
    config = pytest.importorskip("torchtitan.config")
    job_of = job(8, LLAMA)
    for layout in drawn("torchtitan", job_of, 30):
        found = sections(job_of, layout)
        config.TrainingConfig(**found["training"])
        assert config.ParallelismConfig(**found["parallelism"]).tensor_parallel_degree == layout.tp


def test_flags_of_torchtitan_are_its_options() -> None:
    names = flat(sections(job(8, LLAMA), INTERLEAVED))
    told = flags("torchtitan", job(8, LLAMA), INTERLEAVED)
    assert [word.removeprefix("--").partition("=")[0] for word in told] == list(names)


@pytest.mark.filterwarnings("ignore")
def test_deepspeed_takes_the_values() -> None:
    config = pytest.importorskip("deepspeed.runtime.config")
    asked = job(8, LLAMA)
    for layout in drawn("deepspeed", asked, 60):
        if layout.zero and layout.shard < layout.dp * layout.cp:
            continue  # refused
        values = json.loads(export("deepspeed", plan(layout, of=asked)).text)
        found = config.DeepSpeedConfig.__new__(config.DeepSpeedConfig)
        found.world_size = layout.dp
        found.elasticity_enabled = False
        found._initialize_params(values)
        found._configure_train_batch_size()  # refuses a batch that contradicts itself
        assert found.zero_config.stage == layout.zero
        assert found.train_micro_batch_size_per_gpu == layout.micro_batch
