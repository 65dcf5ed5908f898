"""What is exported is read back: the layout that the file says, batch, sequence, precision."""

import pytest

from plan3d.planner.exports import export
from plan3d.planner.exports.export import EXPORTERS
from plan3d.planner.imports import READERS, Asked, read
from plan3d.planner.models import resolve
from plan3d.planner.result import Job
from plan3d.simulator.errors import InputError
from tests.planner.exports.plans import LLAMA, MOE, drawn, plan
from tests.planner.jobs import job

JOBS = {"dense": job(16, LLAMA), "experts": job(16, MOE)}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", JOBS)
def test_layouts_survive(name: str, kind: str) -> None:
    asked = JOBS[kind]
    survived = 0
    for layout in drawn(name, asked, 100):
        try:
            written = export(name, plan(layout, of=asked))
        except InputError:
            continue
        found = read(name, written.text, Asked(gpus=16, layers=8))
        assert found.layout == written.layout, layout
        assert (found.seq, found.global_batch) == (64, 16)
        assert found.precision == "bf16"
        assert found.unused == ()
        survived += 1
    assert survived >= 40


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
