"""What is exported is read back: the layout that the file says, batch, sequence, precision."""

import random
from dataclasses import replace

import pytest

from plan3d.planner import frameworks
from plan3d.planner.exports import export
from plan3d.planner.exports.export import EXPORTERS
from plan3d.planner.imports import READERS, Asked, read
from plan3d.planner.models import resolve
from plan3d.planner.result import Job
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import FIELDS, Layout, Order
from plan3d.simulator.workload import PRECISIONS
from tests.planner.exports.plans import LLAMA, MOE, drawn, plan
from tests.planner.jobs import job

JOBS = {"dense": job(16, LLAMA), "experts": job(16, MOE)}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", JOBS)
def test_layouts_survive(name: str, kind: str) -> None:
    """A plan that cannot be exported is no plan: nothing that a search offers is refused."""
    asked = JOBS[kind]
    for layout in drawn(name, asked, 100):
        written = export(name, plan(layout, of=asked))
        found = read(name, written.text, Asked(gpus=16, layers=8))
        assert found.layout == written.layout, layout
        assert (found.seq, found.global_batch) == (64, 16)
        assert found.precision == "bf16"
        assert found.unused == ()


@pytest.mark.parametrize("name", READERS)
def test_what_a_search_never_varies_survives_or_is_said(name: str) -> None:
    """Overlap, offload and order: read back as written, and what is written otherwise is said."""
    asked = JOBS["dense"]
    draw = random.Random(1)
    for layout in drawn(name, asked, 60):
        wanted = replace(
            layout,
            tp_overlap=draw.randrange(2),
            dp_overlap=draw.randrange(2),
            pp_overlap=draw.randrange(2),
            order=Order(draw.randrange(2)),
            offload=draw.choice((0.0, 0.5, 1.0)) if layout.zero else 0.0,
        )
        try:
            written = export(name, plan(wanted, of=asked))
        except InputError:
            continue
        found = read(name, written.text, Asked(gpus=16, layers=8)).layout
        assert found == written.layout, wanted
        changed = [axis for axis in FIELDS if getattr(found, axis) != getattr(wanted, axis)]
        runs = frameworks.named(EXPORTERS[name].framework)
        alone = {"tp_overlap": found.tp == 1, "dp_overlap": found.dp * found.cp == 1,
                 "pp_overlap": found.pp == 1}  # fmt: skip
        silent = {axis for axis in alone if alone[axis] or axis not in runs.overlaps}
        assert set(changed) <= silent or written.cannot, changed


@pytest.mark.parametrize("precision", ["fp8", "fp8-rowwise"])
def test_eight_bits_survive(precision: str) -> None:
    asked = JOBS["dense"]
    asked = replace(asked, work=replace(asked.work, precision=PRECISIONS[precision]))
    written = export("torchtitan-toml", plan(Layout(dp=16, zero=3, shard=16), of=asked))
    found = read("torchtitan-toml", written.text, Asked(gpus=16, layers=8))
    assert (found.precision, found.unused) == (precision, ())


def test_scales_by_row_as_they_were_asked_for_until_2025() -> None:
    text = "[parallelism]\ntensor_parallel_degree = 1\n[model]\nconverters = ['float8']\n"
    text += "[float8]\nrecipe_name = 'rowwise'"
    assert read("torchtitan-toml", text, Asked(gpus=8)).precision == "fp8-rowwise"


@pytest.mark.parametrize("name", ["megatron", "megatron-bridge", "nemo", "deepspeed", "nanotron"])
def test_shapes_survive(name: str) -> None:
    asked: Job = job(16, LLAMA)
    written = export(name, plan(next(drawn(name, asked, 1)), of=asked))
    found = read(name, written.text, Asked(gpus=16))
    assert found.model is not None
    shape = resolve(found.model).model
    same = ("layers", "hidden", "heads", "kv_heads", "ffn", "gated", "tied", "norm", "positions")
    assert [getattr(shape, k) for k in same] == [getattr(LLAMA, k) for k in same]


def test_every_exporter_but_that_of_code_has_a_reader() -> None:
    assert set(EXPORTERS) - set(READERS) == {"fsdp2"}
