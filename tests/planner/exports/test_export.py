"""Every export is read by the parser of its form, and says only what the framework knows."""

import ast
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from plan3d.planner.exports import EXPORTERS, export
from plan3d.planner.exports.planned import comment
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, Order, Recompute, Schedule
from plan3d.simulator.workload import PRECISIONS
from tests.planner.exports.plans import LLAMA, MOE, plan, simple
from tests.planner.jobs import job

HOSTILE = (
    'x\n"; rm -rf / #',
    "x\r\nimport os",
    "*/ --> ''' \"\"\" $(touch x) `touch x`",
    "\x00\x1b[31m\u2028\x85",
    "- [a]: {b: &c !!python/object",
)
PARSERS: dict[str, Callable[[str], Any]] = {
    ".sh": lambda text: shlex.split(text, comments=True),
    ".py": ast.parse,
    ".json": json.loads,
    ".toml": tomllib.loads,
    ".yaml": yaml.safe_load,
}


@pytest.mark.parametrize("name", EXPORTERS)
def test_every_export_is_parsed(name: str) -> None:
    parsed = PARSERS[EXPORTERS[name].suffix](export(name, simple(name)).text)
    assert parsed


@pytest.mark.parametrize("name", EXPORTERS)
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_a_comment(name: str, text: str) -> None:
    tame, wild = (replace(simple(name), about=(said,)) for said in ("x", text))
    wild = replace(wild, job=replace(wild.job, model=replace(LLAMA, name=text)))
    tame = replace(tame, job=replace(tame.job, model=replace(LLAMA, name="other")))
    parse = PARSERS[EXPORTERS[name].suffix]
    found, expected = (parse(export(name, p).text) for p in (wild, tame))
    if name == "deepspeed":
        assert found.pop("plan3d")["launch"] == expected.pop("plan3d")["launch"]
    dump = ast.dump if EXPORTERS[name].suffix == ".py" else repr
    assert dump(found) == dump(expected)


def test_scripts_are_bash() -> None:
    text = export("megatron", plan(about=HOSTILE)).text
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0


def test_comments_are_one_line_each() -> None:
    assert comment(("a\nb", "")) == "# a?b\n#\n"


def test_what_a_framework_lacks_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"nanotron has no ZeRO stage 3[\s\S]*--framework nanotron"
    ):
        export("nanotron", plan())
    with pytest.raises(InputError, match="hybrid sharding"):
        export("deepspeed", plan(Layout(dp=8, zero=1, shard=4)))
    with pytest.raises(InputError, match="tp, pp, cp or ep"):
        export("fsdp2", plan(Layout(tp=2, dp=4, zero=3, shard=4)))
    with pytest.raises(InputError, match="shard that cp does not divide"):
        export("torchtitan", plan(Layout(dp=2, cp=4, zero=3, shard=2)))
    with pytest.raises(InputError, match="use sp=1"):
        export("megatron", plan(Layout(tp=2, dp=4, etp=2), of=job(8, MOE)))
    with pytest.raises(InputError, match="use offload=0 or 1"):
        export("deepspeed", plan(Layout(dp=8, zero=1, shard=8, offload=0.5)))
    with pytest.raises(InputError, match="offload"):
        export("nanotron", plan(Layout(dp=8, zero=1, shard=8, offload=0.5)))


def test_an_illegal_layout_is_refused() -> None:
    with pytest.raises(InputError, match="the attention heads do not divide by tp"):
        export("megatron", plan(Layout(tp=16), of=job(16, LLAMA)))
    with pytest.raises(InputError, match="is not the number of GPUs"):
        export("megatron", plan(Layout(dp=4), of=job(8, LLAMA)))


def test_an_unknown_exporter() -> None:
    with pytest.raises(InputError, match="did you mean megatron"):
        export("megatrn", plan())


@pytest.mark.parametrize(
    ("name", "layout", "says", "becomes"),
    [
        ("megatron", Layout(tp=2, dp=4, tp_overlap=0), "tp_overlap=0", {"tp_overlap": 1}),
        ("nanotron", Layout(pp=2, dp=4, pp_overlap=0), "pp_overlap=0", {"pp_overlap": 1}),
        ("nanotron", Layout(dp=8, dp_overlap=0), "dp_overlap=0", {"dp_overlap": 1}),
        ("nanotron", Layout(pp=2, dp=4, order=Order.TP_CP_EP_PP_DP), "order=",
         {"order": Order.TP_CP_EP_DP_PP}),
        ("torchtitan-toml", Layout(tp=2, dp=4, zero=3, shard=4), "sp=0", {"sp": 1}),
        ("megatron", Layout(pp=2, vpp=2, schedule=Schedule.INTERLEAVED,
                            recompute=Recompute.BLOCK, recompute_layers=1), "rounded up",
         {"recompute_layers": 2}),
        ("megatron", Layout(pp=2, vpp=2, schedule=Schedule.INTERLEAVED,
                            recompute=Recompute.BLOCK, recompute_layers=3), "rounded up",
         {"recompute": Recompute.FULL, "recompute_layers": 0}),
    ],
)  # fmt: skip
def test_what_is_lost_is_said(
    name: str, layout: Layout, says: str, becomes: dict[str, Any]
) -> None:
    found = export(name, plan(layout))
    assert any(says in text for text in found.cannot)
    assert f"not expressed: {found.cannot[0]}" in found.text
    assert found.layout == replace(layout, **becomes)


def test_what_a_model_loses_is_said() -> None:
    odd = replace(LLAMA, positions="alibi", window=32)
    assert any("ALiBi" in text for text in export("megatron", plan(of=job(8, odd))).cannot)
    found = export("nanotron", plan(Layout(dp=8), of=job(8, MOE))).cannot
    assert any("mixture of experts" in text for text in found)
    assert any("flavour" in text for text in export("torchtitan", plan(of=job(8, MOE))).cannot)


def test_precisions() -> None:
    def text(name: str, precision: str) -> str:
        plain = simple(name)
        work = replace(plain.job.work, precision=PRECISIONS[precision])
        return export(name, replace(plain, job=replace(plain.job, work=work))).text

    assert "--fp8-format hybrid" in text("megatron", "fp8")
    assert '"fp16": {' in text("deepspeed", "fp16")
    assert 'dtype: "float32"' in text("nanotron", "fp32")
    assert "bf16_with_fp8_mixed()" in text("nemo", "fp8")
    converters = tomllib.loads(text("torchtitan-toml", "fp8"))["model"]["converters"]
    assert converters == ["quantize.linear.float8"]
    by_row = tomllib.loads(text("torchtitan-toml", "fp8-rowwise"))
    assert by_row["model"]["converters"] == ["quantize.linear.float8"]
    assert by_row["quantize"]["linear"]["float8"] == {"recipe_name": "rowwise"}
    with pytest.raises(InputError, match="use --precision bf16"):
        text("torchtitan", "fp16")
    with pytest.raises(InputError, match="use --precision bf16"):
        text("megatron", "fp8-rowwise")
    assert "--bf16" in text("deepspeed", "fp8-rowwise")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", EXPORTERS)
def test_every_precision_is_written_or_said(name: str, precision: str) -> None:
    """Eight bits never become sixteen without a word."""
    plain = simple(name)
    work = replace(plain.job.work, precision=PRECISIONS[precision])
    try:
        found = export(name, replace(plain, job=replace(plain.job, work=work)))
    except InputError as error:
        assert "--precision" in str(error)  # noqa: PT017
        return
    if work.precision.matmul == "fp8":
        assert "fp8" in " ".join(found.cannot) or re.search("fp8|float8", found.text)


def test_a_job_of_uneven_nodes() -> None:
    found = export("megatron", plan(Layout(dp=12), of=job(12, LLAMA, batch=12))).text
    assert "--nproc-per-node 6 --nnodes 2" in found


def test_the_shape_of_deepspeed_experts() -> None:
    found = export("deepspeed", plan(Layout(tp=2, dp=4, ep=4, etp=2), of=job(8, MOE)))
    launch = json.loads(found.text)["plan3d"]["launch"]
    assert {"--moe-expert-parallel-size 4", "--enable-expert-tensor-parallelism"} <= set(launch)
    assert any("experts of another width" in text for text in found.cannot)
