from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.hardware_profiles.points import OK, Point, Shape, append, read_points, start
from plan3d.hardware_profiles.points.file import repair
from plan3d.simulator.errors import InputError

GEMM = Shape(kind="gemm", op="forward", m=4096, n=1024, k=512)
SEND = Shape(kind="collective", op="send_recv", dtype="", size_bytes=2**20, ranks=2, nodes=2)
POINTS = (
    Point(shape=GEMM, time_s=12.5e-6, spread=0.03, repeats=50, clock_hz=1.4e9, gpu="g", site="s"),
    Point(shape=SEND, status="oom", note="asked for 3 GiB, too many", gpu="g", site="s"),
)


def written(path: Path, *points: Point) -> Path:
    start(path, {"gpu": "NVIDIA Something", "seed": "3"})
    append(path, points)
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = read_points(written(tmp_path / "p.csv", *POINTS))
    assert found.points == POINTS
    assert found.about == {"gpu": "NVIDIA Something", "seed": "3"}
    assert found.done == {GEMM, SEND}
    assert not found.cut_short


@given(
    m=st.integers(1, 10**6), time_us=st.floats(0.01, 1e9), note=st.text(max_size=40),
    status=st.sampled_from([OK, "throttled", "busy"]),
)  # fmt: skip
def test_any_point_survives(
    tmp_path_factory: pytest.TempPathFactory, m: int, time_us: float, note: str, status: str
) -> None:
    point = Point(
        shape=Shape(kind="memory", op="gelu", direction="forward", m=m, n=8, size_bytes=2 * m),
        time_s=time_us / 1e6, status=status, note=note, gpu="a, b", site='"quoted"',
    )  # fmt: skip
    (found,) = read_points(written(tmp_path_factory.mktemp("x") / "p.csv", point)).points
    assert found.shape == point.shape
    assert found.time_s == pytest.approx(point.time_s, abs=1e-10)
    assert (found.status, found.gpu, found.site) == (status, "a, b", '"quoted"')
    assert found.note == " ".join(note.split())


def test_a_last_line_that_was_cut_short_is_left_out_and_can_be_repaired(tmp_path: Path) -> None:
    path = written(tmp_path / "p.csv", *POINTS)
    whole = path.read_text()
    path.write_text(whole[:-15])
    found = read_points(path)
    assert found.cut_short
    assert found.points == POINTS[:1]
    assert path.read_text() == whole[:-15], "reading changes nothing"
    repair(path)
    append(path, POINTS[1:])
    assert path.read_text() == whole


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("12.5000", "fast", "line 4: time_us is 'fast', not a number"),
        ("12.5000", "-1", "line 4: time_us is '-1'; a number from 0"),
        ("12.5000", "nan", "line 4: time_us is 'nan'"),
        ("gemm,", "gem,", "line 4: kind 'gem' is not one of gemm,"),
        (",oom,", ",dead,", "line 5: status 'dead' is not one of ok,"),
        ("4096,", "", "line 4: fewer values"),
        ("4096,", "4096,7,", "line 4: more values"),
        ("time_us", "when", "columns kind, op,"),
    ],
)
def test_a_corrupt_file_is_refused_by_line(tmp_path: Path, old: str, new: str, what: str) -> None:
    path = written(tmp_path / "p.csv", *POINTS)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=r"p\.csv") as error:
        read_points(path)
    assert what in str(error.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"", "no points"), (b"# only: remarks\n", "no points"), (b"\xff\xfe\x00", "not UTF-8")],
)
def test_what_is_no_points_file(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=what):
        read_points(path)
    with pytest.raises(InputError, match="no such file"):
        read_points(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a directory"):
        read_points(tmp_path)


@pytest.mark.parametrize("size", ["m", "n", "k"])
def test_a_size_of_nothing_is_named(tmp_path: Path, size: str) -> None:
    path = written(tmp_path / "p.csv", replace(POINTS[0], shape=replace(GEMM, **{size: 0})))
    with pytest.raises(InputError, match=f"line 4: {size} is 0, but gemm needs 1 or more"):
        read_points(path)


def test_a_throttled_point_is_measured_again(tmp_path: Path) -> None:
    hot = Point(shape=GEMM, time_s=1e-5, status="throttled")
    path = written(tmp_path / "p.csv", hot, POINTS[1])
    assert read_points(path).done == {SEND}
    append(path, [POINTS[0]])
    assert read_points(path).done == {GEMM, SEND}
