"""plan3d doctor: what works is told from what does not."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from plan3d.cli import doctor
from plan3d.cli.main import run

ROOT = Path(__file__).parents[2]
Capture = pytest.CaptureFixture[str]
GROUPS = {"plan3d", "libraries", "extras", "data", "solvers", "GPUs", "self-test"}


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch and without the search: they take seconds."""
    monkeypatch.setattr(doctor, "_torch", lambda: "torch 2.9: a GPU")
    monkeypatch.setattr(doctor, "_search", lambda: "7 layouts in 1 ms")


def test_a_healthy_installation(capsys: Capture) -> None:
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    checks = {check["name"]: check for check in found["checks"]}
    assert {check["group"] for check in found["checks"]} == GROUPS
    assert checks["plan3d"]["found"].startswith(metadata.version("plan3d"))
    assert checks["numpy"]["found"] == metadata.version("numpy")
    assert checks["HiGHS"]["ok"]
    assert "layouts in" in checks["search gpt175b on 1,024 GPUs"]["found"]


def test_every_library_that_the_project_needs_is_found_by_its_module() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for need in project["dependencies"]:
        name = doctor._name(need)
        assert find_spec(doctor.MODULES.get(name, name.replace("-", "_"))), name


@pytest.mark.usefixtures("light")
def test_what_it_prints(capsys: Capture) -> None:
    assert run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "All that plan3d needs works."
    assert {line for line in lines if line in GROUPS} == GROUPS


@pytest.mark.usefixtures("light")
def test_a_broken_library_is_the_answer_not_a_traceback(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)  # import scipy fails
    assert run(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "Broken: " in shown.splitlines()[0]
    assert "scipy" in shown.splitlines()[0]


def test_it_starts_without_numpy() -> None:
    code = """
import sys
sys.modules["numpy"] = None
from plan3d.cli.main import run
sys.exit(run(["doctor"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    first = done.stdout.splitlines()[0]
    assert first.startswith("Broken: numpy, ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("need", "wrong"),
    [("numpy>=99", "too old; pip install 'numpy>=99'"), ("no-such-library>=1", "no_such_library")],
)
def test_a_library_that_is_too_old_or_missing(need: str, wrong: str) -> None:
    check = doctor._tried("libraries", need, lambda: doctor._imported(need))
    assert check.sign == "BROKEN"
    assert wrong in check.found


def test_versions_are_compared_as_numbers() -> None:
    assert doctor._numbers("1.26") > doctor._numbers("1.9.3")


def test_an_extra_that_is_missing_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = ["numpy>=1", 'no-such-library>=2; extra == "cuda"']
    monkeypatch.setattr(metadata, "requires", lambda _: needs)
    (extra,) = doctor._extras()
    assert (extra.name, extra.sign) == ("cuda", "absent")
    assert extra.found == "missing no-such-library>=2; pip install 'plan3d[cuda]'"


def driver(result: Callable[[], object]) -> Callable[..., object]:
    return lambda *_, **__: result()


def failing(error: Exception) -> Callable[..., object]:
    def called(*_: object, **__: object) -> object:
        raise error

    return called


@pytest.mark.parametrize(
    ("call", "ok", "found"),
    [
        (
            driver(lambda: SimpleNamespace(stdout="NVIDIA H200, 143771 MiB, 570.1\n" * 2)),
            True,
            "NVIDIA H200, 143771 MiB, 570.1; NVIDIA H200, 143771 MiB, 570.1",
        ),
        (driver(lambda: SimpleNamespace(stdout="")), False, "none"),
        (failing(FileNotFoundError()), False, "no nvidia-smi"),
        (failing(subprocess.TimeoutExpired("nvidia-smi", 20)), False, "timed out"),
    ],
)
def test_the_driver_is_asked(
    monkeypatch: pytest.MonkeyPatch, call: Callable[..., object], ok: bool, found: str
) -> None:
    monkeypatch.setattr(doctor.subprocess, "run", call)
    check = doctor._driver()
    assert (check.ok, check.required) == (ok, False)
    assert found in check.found


@pytest.mark.parametrize("seen", [["NVIDIA H100", "NVIDIA H100"], []])
def test_torch_is_asked(monkeypatch: pytest.MonkeyPatch, seen: list[str]) -> None:
    torch = ModuleType("torch")
    torch.__version__ = "2.9"  # type: ignore[attr-defined]
    torch.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        is_available=lambda: bool(seen), device_count=lambda: len(seen),
        get_device_name=lambda i: seen[i],
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch", torch)
    check = doctor._tried("GPUs", "torch", doctor._torch, required=False)
    assert check.sign == ("ok" if seen else "absent")
    assert ("NVIDIA H100, NVIDIA H100" if seen else "sees no GPU") in check.found
