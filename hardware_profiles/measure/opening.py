"""Opening the device to measure, or saying in one sentence why it cannot be."""

import datetime
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from plan3d.hardware_profiles.measure.gauge import Gauge, NoGauge, gauge_of
from plan3d.hardware_profiles.measure.names import profile_name
from plan3d.simulator.errors import InputError, unknown

if TYPE_CHECKING:
    from plan3d.hardware_profiles.measure.device import Device

T = TypeVar("T")

OLDEST: Final = (7, 0)
"""Compute capability of V100: the oldest that today's torch and the kernels measured here know."""
LEAST_SCRATCH_BYTES: Final = 256 * 2**20
"""Twice the L2 cache of a B200 (126 MB); an H100 has 50 MB. [bytes]"""
FILLS: Final = 20
SPIN_UP_S: Final = 1.0
"""An idle GPU needs some tenths of a second to reach its clocks. [s]"""


@contextmanager
def open_device(kind: str = "cuda") -> "Iterator[Device]":
    """Open a device for measurements; under torchrun, the one of this process, with the others.

    Parameters
    ----------
    kind
        ``cuda`` or ``cpu``.

    Raises
    ------
    InputError
        If there is no torch, no such device, or one that is too old.
    """
    local_rank = _environment("LOCAL_RANK", 0)
    torch = usable_torch(kind, local_rank)
    if kind == "cuda":
        _started(lambda: torch.cuda.set_device(local_rank))
    ranks = _environment("WORLD_SIZE", 1)
    if ranks == 1:
        yield _device(torch, kind, local_rank)
        return
    dist = import_module("torch.distributed")
    where = {"device_id": torch.device("cuda", local_rank)} if kind == "cuda" else {}
    try:
        dist.init_process_group("nccl" if kind == "cuda" else "gloo", **where)
    except (RuntimeError, ValueError) as error:
        first = (str(error).splitlines() or ["no reason given"])[0]
        raise InputError(
            f"WORLD_SIZE is {ranks}, but its processes do not find each other ({first}); start all "
            f"of them with torchrun, or unset WORLD_SIZE to measure one GPU"
        ) from None
    groups: dict[int, Any] = {}
    try:
        yield replace(
            _device(torch, kind, local_rank),
            rank=dist.get_rank(),
            ranks=ranks,
            local_ranks=_environment("LOCAL_WORLD_SIZE", 1),
            groups=groups,
        )
    finally:
        groups.clear()  # their threads end with them, and must before the process does
        dist.destroy_process_group()


def usable_torch(kind: str, index: int = 0) -> Any:
    """Return torch, if it can run on a device: the GPU of this number, or the CPU.

    Raises
    ------
    InputError
        If there is no torch, no such device, or one that is too old.
    """
    if kind not in ("cuda", "cpu"):
        raise unknown("device", kind, ("cuda", "cpu"))
    torch = _torch()
    if kind == "cuda":
        _refuse(torch, index)
    return torch


def _torch() -> Any:
    try:
        return import_module("torch")
    except ImportError as error:
        raise InputError(
            f"measuring needs torch, which cannot be imported ({error}); "
            f"pip install 'plan3d[cuda]' installs it"
        ) from None
    except OSError as error:  # a library of CUDA that its wheel expects is missing
        raise InputError(
            f"torch is installed, but its libraries do not load ({error}); "
            f"pip install --force-reinstall torch"
        ) from None


def _environment(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdigit():
        raise InputError(f"{name} is {text!r} in the environment; torchrun sets a whole number")
    return int(text)


def _refuse(torch: Any, index: int) -> None:
    if not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without it"
        raise InputError(
            f"no CUDA GPU: torch {torch.__version__}, {built}, sees none; --device cpu does "
            f"what needs none: memory is checked, and the harness tried on tiny sizes"
        )
    if index >= torch.cuda.device_count():
        raise InputError(
            f"process {index} of this machine has no GPU: torch sees {torch.cuda.device_count()}; "
            f"torchrun --nproc-per-node {torch.cuda.device_count()} would do"
        )
    capability = torch.cuda.get_device_capability(index)
    if tuple(capability) < OLDEST:
        raise InputError(
            f"{torch.cuda.get_device_name(index)} has compute capability "
            f"{capability[0]}.{capability[1]}; 7.0 or later is wanted: V100, T4, A100, L40, H100, "
            f"B200 or newer"
        )


def _device(torch: Any, kind: str, index: int) -> "Device":
    from plan3d.hardware_profiles.measure.device import Device  # noqa: PLC0415  # imports torch

    if kind == "cpu":
        name = _processor()
        memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        return Device(
            where=torch.device("cpu"), name=name, gauge=NoGauge(), capability=(0, 0),
            memory_bytes=memory, about=_facts(torch, name, memory, NoGauge(), {}),
        )  # fmt: skip
    return _started(lambda: _gpu(torch, index))


def _gpu(torch: Any, index: int) -> "Device":
    from plan3d.hardware_profiles.measure.device import Device  # noqa: PLC0415  # imports torch

    has = torch.cuda.get_device_properties(index)
    gauge = gauge_of(str(getattr(has, "uuid", "")))
    busy = gauge.loaded() or gauge.crowded(0.0)
    memory = float(has.total_memory)
    sms = {"sms": str(has.multi_processor_count), "gpus": str(torch.cuda.device_count())}
    device = Device(
        where=torch.device("cuda", index), name=has.name, gauge=gauge, busy=busy,
        capability=(has.major, has.minor), memory_bytes=memory,
        about=_facts(torch, has.name, memory, gauge, sms),
        scratch=torch.empty(_scratch_bytes(has), dtype=torch.int8, device=f"cuda:{index}"),
    )  # fmt: skip
    return replace(device, fill_s=_fill_s(device))


def _started(action: Callable[[], T]) -> T:
    """Do what first touches a GPU: one that is full or reserved refuses it."""
    try:
        return action()
    except RuntimeError as error:
        raise InputError(
            f"the GPU cannot be used ({' '.join(str(error).split())[:200]}); end what else runs on "
            f"it (nvidia-smi lists it), or choose another one with CUDA_VISIBLE_DEVICES"
        ) from None


def _scratch_bytes(has: Any) -> int:
    cache = int(getattr(has, "L2_cache_size", 0))
    return max(LEAST_SCRATCH_BYTES, 2 * cache)


def _fill_s(device: "Device") -> float:
    """Return how long one write of the scratch buffer takes, once clocks are up [s]."""
    until_s = time.perf_counter() + SPIN_UP_S
    while time.perf_counter() < until_s:
        for _ in range(FILLS):
            device.scratch.zero_()
        device.synchronize()
    first = device.mark()
    for _ in range(FILLS):
        device.scratch.zero_()
    last = device.mark()
    device.synchronize()
    return max(device.between_s(first, last) / FILLS, 1e-6)


def _facts(
    torch: Any, name: str, memory_bytes: float, gauge: Gauge, more: Mapping[str, str]
) -> dict[str, str]:
    cudnn = torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None
    nccl = torch.cuda.nccl.version() if torch.version.cuda and _has_nccl(torch) else ()
    facts = {
        "device": name,
        "profile": profile_name(name),
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda or "",
        "cudnn": str(cudnn or ""),
        "nccl": ".".join(str(part) for part in nccl),
        "memory_bytes": f"{memory_bytes:.0f}",
        **more,
        **gauge.facts(),
        "python": platform.python_version(),
        "ranks": str(_environment("WORLD_SIZE", 1)),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    return {key: text for key, text in facts.items() if text}


def _has_nccl(torch: Any) -> bool:
    dist = import_module("torch.distributed")
    return bool(dist.is_available() and dist.is_nccl_available() and torch.cuda.is_available())


def _processor() -> str:
    """Return the model of the processor, as far as the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
