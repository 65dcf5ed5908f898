"""What is installed and what works: the checks of `plan3d doctor`.

Nothing but the standard library is imported here, so that a broken library is found, not met.
"""

import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from time import perf_counter
from typing import Final

SMI: Final = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
PATIENCE_S: Final = 20.0
"""How long nvidia-smi may take. [s]"""
MODEL, GPUS = "gpt175b", 1024
"""The search of the self-test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    group: str
    name: str
    ok: bool
    found: str
    required: bool = True
    """Whether plan3d is broken without it."""

    @property
    def sign(self) -> str:
        """In a word: ok, absent or BROKEN."""
        return "ok" if self.ok else "BROKEN" if self.required else "absent"


def checks() -> Iterator[Check]:
    """Look at one thing after the other; the slowest come last."""
    yield _installed()
    yield _known("python", sys.version.split()[0] + f" ({sys.executable})")
    yield _known("platform", platform.platform())
    yield from _libraries()
    yield from _extras()
    yield _profiles("hardware profiles", "plan3d.hardware_profiles")
    yield _profiles("models", "plan3d.planner.models")
    yield _tried("solvers", "HiGHS", partial(_solved, "HiGHS"))
    yield _tried("solvers", "CBC", partial(_solved, "PULP_CBC_CMD"), required=False)
    yield _driver()
    yield _tried("GPUs", "torch", _torch, required=False)
    yield _tried("self-test", f"search {MODEL} on {GPUS:,} GPUs", _search)


def _known(name: str, found: str) -> Check:
    return Check(group="plan3d", name=name, ok=True, found=found)


MODULES: Final = {"pyyaml": "yaml"}
"""Libraries whose module has another name."""


def _installed() -> Check:
    where = Path(__file__).resolve().parents[1]
    try:
        return _known("plan3d", f"{metadata.version('plan3d')} ({where})")
    except metadata.PackageNotFoundError:
        found = f"in {where}, but not installed; pip install -e {where}"
        return Check(group="plan3d", name="plan3d", ok=False, found=found)


def _requirements() -> dict[str, list[str]]:
    """Return what plan3d needs, "" for always, by extra."""
    found: dict[str, list[str]] = {"": []}
    try:
        lines = metadata.requires("plan3d") or []
    except metadata.PackageNotFoundError:
        return found
    for line in lines:
        need, _, marker = line.partition(";")
        extra = re.search(r"extra == [\"'](.+?)[\"']", marker)
        found.setdefault(extra[1] if extra else "", []).append(need.strip())
    return found


def _libraries() -> Iterator[Check]:
    for need in _requirements()[""]:
        yield _tried("libraries", _name(need), partial(_imported, need))


def _extras() -> Iterator[Check]:
    for extra, needs in _requirements().items():
        if extra:
            lacking = [need for need in needs if _version(need) is None]
            missing = f"missing {', '.join(lacking)}; pip install 'plan3d[{extra}]'"
            have = ", ".join(f"{_name(need)} {_version(need)}" for need in needs)
            yield Check(
                group="extras", name=extra, ok=not lacking, found=missing if lacking else have,
                required=False,
            )  # fmt: skip


def _name(need: str) -> str:
    match = re.match(r"[\w.-]+", need)
    return match[0] if match else need


def _version(need: str) -> str | None:
    try:
        return metadata.version(_name(need))
    except metadata.PackageNotFoundError:
        return None


def _imported(need: str) -> str:
    """Import a library, and return its version; raise where it is older than is needed."""
    name = _name(need)
    import_module(MODULES.get(name, name.replace("-", "_")))
    version = metadata.version(name)
    least = re.search(r">=\s*([\d.]+)", need)
    if least and _numbers(version) < _numbers(least[1]):
        raise RuntimeError(f"{version} is too old; pip install '{need}'")
    return version


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _profiles(name: str, package: str) -> Check:
    def found() -> str:
        module = import_module(package)
        return f"{len(module.names())} in {Path(str(module.__file__)).parent}"

    return _tried("data", name, found)


def _solved(solver: str) -> str:
    """Solve an integer program of one variable."""
    pulp = import_module("pulp")
    program = pulp.LpProblem("largest", pulp.LpMaximize)
    x = program.add_variable("x", cat=pulp.LpBinary)
    program += 2 * x
    program.solve(pulp.getSolver(solver, msg=False))
    if x.value() != 1:
        raise RuntimeError("found no optimum")
    return "solves"


def _driver() -> Check:
    """Ask the driver which GPUs there are."""
    try:
        done = subprocess.run(SMI, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
        found, ok = "; ".join(done.stdout.splitlines()), bool(done.stdout.strip())
    except FileNotFoundError:
        found, ok = "no nvidia-smi; only calibrate and check need a GPU", False
    except (OSError, subprocess.SubprocessError) as error:
        found, ok = f"nvidia-smi: {_first_line(error)}", False
    return Check(group="GPUs", name="driver", ok=ok, found=found or "none", required=False)


def _torch() -> str:
    """Return the GPUs that torch can use."""
    torch = import_module("torch")
    if not torch.cuda.is_available():
        raise RuntimeError(f"torch {torch.__version__} sees no GPU; check --device cpu works")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"torch {torch.__version__}: {', '.join(names)}"


def _search() -> str:
    """Run a search as `plan3d search` does."""
    plan3d = import_module("plan3d")
    job = plan3d.job(MODEL, GPUS)
    started_s = perf_counter()
    found = plan3d.search(job, top=1)
    if not (found.plans and found.certificate.proven):
        raise RuntimeError("found no plan")
    took_ms = 1e3 * (perf_counter() - started_s)
    return f"{found.certificate.legal:,} layouts in {took_ms:,.0f} ms: {found.plans[0].layout}"


def _tried(group: str, name: str, found: Callable[[], str], *, required: bool = True) -> Check:
    """Try something: whatever it raises is what is wrong with it."""
    try:
        return Check(group=group, name=name, ok=True, found=found(), required=required)
    except Exception as error:
        return Check(group=group, name=name, ok=False, found=_first_line(error), required=required)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
