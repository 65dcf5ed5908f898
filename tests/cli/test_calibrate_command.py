import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import jsonschema
import pytest

from plan3d.cli.json_others import other
from plan3d.cli.main import run
from plan3d.hardware_profiles import load_path
from plan3d.hardware_profiles.fit.gemm import Gemm
from plan3d.hardware_profiles.points import Point, Shape, append, read_points, start
from tests.hardware_profiles.fit.points import gemms, times
from tests.hardware_profiles.fit.test_laws import CASES

TRUTH = CASES[0][2]


@pytest.fixture
def points(tmp_path: Path) -> Path:
    path = tmp_path / "mine.points.csv"
    start(path, {"driver": "550.1"})
    append(path, times(Gemm(), gemms(), TRUTH))
    return path


def test_points_become_a_profile_and_a_figure(
    points: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calibrate", "--from", str(points), "--out", str(tmp_path / "mine")]) == 0
    said = capsys.readouterr().out
    assert "h100-80g-sxm: 120 points, 0 without a time" in said
    assert "driver: 550.1" in said
    assert "matrix products" in said
    assert load_path(tmp_path / "mine.toml").gpu.gemm.efficiency == pytest.approx(0.71, rel=1e-2)
    assert (tmp_path / "mine.matrix-products.png").read_bytes().startswith(b"\x89PNG")


def test_json_has_constants_with_errors(points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", "--from", str(points), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, other("calibrate"))
    (law,) = found["laws"]
    assert law["constants"]["gpu.gemm.efficiency"]["value"] == pytest.approx(0.71, rel=1e-2)
    assert law["median_error"] < 0.01
    assert found["refused"] == []


def test_a_bad_fit_makes_no_profile_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "noisy.csv"
    start(path, {})
    append(path, times(Gemm(), gemms(), TRUTH, noise=0.6))
    assert run(["calibrate", "--from", str(path), "--out", str(tmp_path / "noisy")]) == 1
    assert "no profile: matrix products: median error" in capsys.readouterr().err
    assert not (tmp_path / "noisy.toml").exists()
    assert (tmp_path / "noisy.matrix-products.png").exists(), "the figure shows what is wrong"


def test_runs_become_a_site_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs of a made-up site that measured 1.25 times what the profile predicts, but for noise."""
    from tests.planner.validation.test_site import as_if, cases  # noqa: PLC0415

    made = as_if(cases("vtrain-multi")[:9], kernels=1.25)
    head = [
        *("id", "suite", "year", "framework", "model", "layers", "hidden", "heads", "vocab", "seq"),
        *("gpu", "gpus", "gpus_per_node", "inter_node", "precision", "tp", "pp", "vpp", "dp"),
        *("zero", "recompute", "micro_batch", "global_batch", "iter_s"),
    ]
    lines = [",".join(head)]
    for case in made:
        layout = case.layouts[0]
        values = {
            **{name: getattr(case.run, name, "") for name in head}, "pp": layout.pp,
            "vpp": layout.vpp, "tp": layout.tp, "dp": layout.dp, "micro_batch": layout.micro_batch,
            "iter_s": case.measured_s, "inter_node": '"8x200 gb/s hdr"',
        }  # fmt: skip
        lines.append(",".join("" if values[n] is None else str(values[n]) for n in head))
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(lines) + "\n")
    assert run(["calibrate", "--runs", str(path), "--out", str(tmp_path / "site")]) == 0
    said = capsys.readouterr().out
    assert "9 runs on" in said
    assert "kernels" in said
    assert load_path(tmp_path / "site.toml").gpu.gemm.efficiency == pytest.approx(
        cases("vtrain-multi")[0].cluster.gpu.gemm.efficiency / 1.25, rel=0.03
    )
    assert run(["calibrate", "--runs", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, other("calibrate"))
    assert found["scalars"]["kernels"]["factor"] > 1.2


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--from", "nowhere.csv"], "nowhere.csv: no such file"),
        (["--from", "P", "--runs", "P"], "give one of them"),
        (["--from", "P", "--device", "cpu"], "are for measuring"),
        (["--runs", "P", "--only", "gemm"], "are for points, not for --runs"),
        (["--from", "P", "--only", "gem"], "no group of laws 'gem'; did you mean gemm"),
        (["--from", "P", "--gpu", "tpu"], "no GPU in the points 'tpu'"),
        (["--from", "P", "--site", "moon"], "no point is of a site with 'moon'"),
        (["--from", "P", "--hardware", "dgx-9"], "no cluster 'dgx-9'"),
        (["--from", "P", "--out", "no/such/place"], "there is no directory"),
        (["--device", "tpu"], "no device 'tpu'; there are: cuda, cpu"),
        (["--budget", "soon"], "'soon' is not a time; give one such as 90s, 5m or 1h"),
        (["--device", "cpu", "--seed", "-1"], "greater than or equal to 0"),
    ],
)
def test_bad_options(
    points: Path, options: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calibrate", *(str(points) if o == "P" else o for o in options)]) == 2
    assert what in capsys.readouterr().err


def test_a_trial_on_the_processor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    out = str(tmp_path / "trial")
    options = ["calibrate", "--device", "cpu", "--only", "gemm,memory", "--budget", "60s"]
    assert run([*options, "--out", out]) == 0
    said = capsys.readouterr().out
    assert "no profile: these are small shapes on a processor" in said
    first = read_points(tmp_path / "trial.points.csv")
    assert {p.shape.kind for p in first.points} == {"gemm", "memory", "optimizer"}
    assert all(p.time_s > 0 for p in first.points)
    assert run([*options, "--out", out]) == 0
    assert "going on from" in capsys.readouterr().err
    assert read_points(tmp_path / "trial.points.csv") == first, "nothing is measured twice"
    assert run(["calibrate", "--from", f"{out}.points.csv"]) == 2
    assert "no shipped cluster has GPU" in capsys.readouterr().err


def test_an_interrupted_trial_keeps_its_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from plan3d.hardware_profiles.measure.attempt import Attempts  # noqa: PLC0415

    once = Attempts.__call__
    calls: list[int] = []

    def stopped(self: Attempts, load: Sequence[Shape]) -> Iterable[Point]:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return once(self, load)

    monkeypatch.setattr(Attempts, "__call__", stopped)
    assert (
        run(["calibrate", "--device", "cpu", "--only", "gemm", "--out", str(tmp_path / "x")]) == 130
    )
    assert len(read_points(tmp_path / "x.points.csv").points) == 3


def test_without_torch_or_gpu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run(["calibrate", "--out", str(tmp_path / "x")]) == 2
    assert "pip install 'plan3d[cuda]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
