"""Two processes: collectives, and who decides and writes."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

from plan3d.hardware_profiles.points import read_points

PROGRAM = """
import sys
from pathlib import Path
import torch
from plan3d.hardware_profiles.measure import measure, open_device, shapes
from plan3d.simulator.errors import InputError
from tests.hardware_profiles.measure.models import OLD

torch.set_num_threads(1)
path = Path(sys.argv[1])
with open_device("cpu") as device:
    assert (device.ranks, device.nodes) == (2, 1)
    assert device.agree(float(device.rank)) == 1
    assert device.share(device.rank) == 0
    wanted = shapes([OLD], device="cpu", dtypes=("fp32",), ranks=2, small=True)
    wanted = [s for s in wanted if s.kind in ("collective", "contention") or s.n == 10]
    # rank 1 has fewer shapes and another file: it follows rank 0
    mine = wanted if device.rank == 0 else wanted[:1]
    found = measure(mine, device, path if device.rank == 0 else path.parent / "no",
                    budget_s=30, target_s=0.0)
    assert [p.shape for p in found.points] == wanted, found
    again = measure(wanted, device, path, budget_s=30, target_s=0.0)
    assert len(again.points) == len(wanted)
    path.with_suffix(f".{device.rank}").write_text("done")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    program = folder / "program.py"
    program.write_text(PROGRAM)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        str(program), str(folder / "points.csv"),
    ]  # fmt: skip
    root = Path(__file__).parents[3]
    result = subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=120, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_both_ranks_end(run: Path) -> None:
    assert {p.name for p in run.glob("points.?")} == {"points.0", "points.1"}
    assert not (run / "no").exists()


def test_every_collective_is_right_and_has_a_time(run: Path) -> None:
    points = read_points(run / "points.csv").points
    assert {p.shape.op for p in points if p.shape.kind == "collective"} == {
        "all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send_recv",
    }  # fmt: skip
    assert [(p.shape.op, p.status, p.note) for p in points if not p.measured] == []
    assert {p.shape.ranks for p in points if p.shape.kind == "collective"} == {2}


def test_a_product_beside_an_all_reduce_notes_its_time_alone(run: Path) -> None:
    beside = [p for p in read_points(run / "points.csv").points if p.shape.kind == "contention"]
    assert beside
    assert all("alone" in p.note and "all-reduces" in p.note for p in beside)
