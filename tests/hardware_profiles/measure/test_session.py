"""A run and its file: budget, resume, interruption."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from plan3d.hardware_profiles.measure import measure, session, shapes  # noqa: E402
from plan3d.hardware_profiles.measure.device import Device  # noqa: E402
from plan3d.hardware_profiles.measure.kernels.table import BUILDS  # noqa: E402
from plan3d.hardware_profiles.points import KINDS, Point, Shape, read_points  # noqa: E402
from plan3d.simulator.errors import InputError  # noqa: E402
from tests.hardware_profiles.measure.models import DENSE, OLD  # noqa: E402

TEN = [Shape(kind="gemm", op="forward", m=16 * i, n=16, k=16) for i in range(1, 11)]
LOAD = [Shape(kind="sustained", op="gemm", m=16, n=16, k=16, elapsed_s=float(s)) for s in (1, 2, 3)]


class Fake:
    """Measures at once; `at` calls it raises what it is told to."""

    def __init__(self, at: int = 0, error: BaseException | None = None) -> None:
        self.loads: list[tuple[Shape, ...]] = []
        self.at, self.error = at, error

    def __call__(self, load: Sequence[Shape]) -> Iterator[Point]:
        self.loads.append(tuple(load))
        if self.error is not None and len(self.loads) > self.at:
            raise self.error
        yield from (Point(shape=shape, time_s=1e-3, repeats=5) for shape in load)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "points.csv"


def test_everything_small_on_this_cpu(cpu: Device, path: Path) -> None:
    told: list[tuple[int, int, Shape]] = []
    wanted = shapes([DENSE, OLD], device="cpu", dtypes=cpu.dtypes, small=True)
    found = measure(
        wanted, cpu, path, budget_s=60, target_s=0.0,
        progress=lambda done, total, shape, elapsed_s: told.append((done, total, shape)),  # noqa: ARG005
    )  # fmt: skip
    assert [p.shape for p in found.points] == wanted
    assert {p.shape.kind for p in found.points} == set(KINDS) - {"collective", "contention"}
    assert [p.note for p in found.points if not p.measured] == []
    assert found == read_points(path)
    assert [each[0] for each in told] == list(range(1, len(wanted) + 1))
    assert {each[1] for each in told} == {len(wanted)}
    assert found.about["device"] == cpu.name
    assert found.about["seed"] == "0"
    assert {p.gpu for p in found.points} == {cpu.name}
    assert {p.site for p in found.points} == {f"plan3d torch {torch.__version__}"}


def test_the_shipped_profile_names_the_gpu(cpu: Device, path: Path) -> None:
    device = replace(cpu, about={**cpu.about, "profile": "h100-80g-sxm"})
    found = measure(TEN[:1], device, path, budget_s=9, attempt=Fake())
    assert found.points[0].gpu == "h100-80g-sxm"


def test_the_budget_ends_a_run(cpu: Device, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count()
    monkeypatch.setattr(session.time, "monotonic", lambda: float(next(seconds)))
    found = measure(TEN, cpu, path, budget_s=12, attempt=Fake())
    assert 0 < len(found.points) < len(TEN)
    assert [p.shape for p in found.points] == TEN[: len(found.points)]
    assert measure(TEN, cpu, path, budget_s=0, attempt=Fake()) == found


def test_no_budget_no_points(cpu: Device, path: Path) -> None:
    assert measure(TEN, cpu, path, budget_s=0, attempt=Fake()).points == ()
    assert len(measure(TEN, cpu, path, budget_s=9, attempt=Fake()).points) == 10


def test_a_run_is_taken_up_where_it_ended(cpu: Device, path: Path) -> None:
    measure(TEN[:4], cpu, path, budget_s=9, attempt=Fake())
    again = Fake()
    found = measure(TEN, cpu, path, budget_s=9, attempt=again)
    assert [load[0] for load in again.loads] == TEN[4:]
    assert [p.shape for p in found.points] == TEN


def test_shapes_named_twice_are_measured_once(cpu: Device, path: Path) -> None:
    assert len(measure(TEN + TEN, cpu, path, budget_s=9, attempt=Fake()).points) == 10


def test_an_interrupted_run_keeps_its_points(cpu: Device, path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        measure(TEN, cpu, path, budget_s=9, attempt=Fake(3, KeyboardInterrupt()))
    assert [p.shape for p in read_points(path).points] == TEN[:3]
    found = measure(TEN, cpu, path, budget_s=9, attempt=Fake())
    assert [p.shape for p in found.points] == TEN


def test_a_line_cut_short_is_measured_again(cpu: Device, path: Path) -> None:
    measure(TEN[:5], cpu, path, budget_s=9, attempt=Fake())
    text = path.read_text()
    path.write_text(text[:-20])
    again = Fake()
    found = measure(TEN[:5], cpu, path, budget_s=9, attempt=again)
    assert again.loads == [(TEN[4],)]
    assert not found.cut_short
    assert path.read_text() == text


def test_looks_at_one_load_are_measured_together(cpu: Device, path: Path) -> None:
    fake = Fake()
    other = [replace(shape, dtype="fp16") for shape in LOAD]
    measure([*TEN[:2], *LOAD, *other, TEN[2]], cpu, path, budget_s=9, attempt=fake)
    assert fake.loads == [(TEN[0],), (TEN[1],), tuple(LOAD), tuple(other), (TEN[2],)]


def test_out_of_memory_is_recorded_and_the_run_goes_on(
    cpu: Device, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = BUILDS["gemm"]

    def build(shape: Shape, device: Device) -> Any:
        if shape.m == 32:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return right(shape, device)

    from plan3d.hardware_profiles.measure.kernels import table  # noqa: PLC0415

    monkeypatch.setattr(table, "BUILDS", {"gemm": build})
    found = measure(TEN[:3], cpu, path, budget_s=9, target_s=0.0)
    assert [p.status for p in found.points] == ["ok", "oom", "ok"]
    assert "20.00 GiB" in found.points[1].note


@pytest.mark.parametrize("key", ["device", "torch"])
def test_another_device_or_torch_is_refused(key: str, cpu: Device, path: Path) -> None:
    measure(TEN[:2], cpu, path, budget_s=9, attempt=Fake())
    before = path.read_text()
    other = replace(cpu, about={**cpu.about, key: "another"})
    with pytest.raises(InputError, match=f"measured on {key} .*'another'.*name another one"):
        measure(TEN, other, path, budget_s=9, attempt=Fake())
    assert path.read_text() == before


def test_a_file_of_something_else_is_refused(cpu: Device, path: Path) -> None:
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="not those of measured points"):
        measure(TEN, cpu, path, budget_s=9, attempt=Fake())
    assert path.read_text() == "a,b\n1,2\n"


def test_a_folder_that_is_not_there(cpu: Device, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        measure(TEN, cpu, tmp_path / "no" / "points.csv", budget_s=9, attempt=Fake())
