"""What the driver says about a GPU while it is measured: clock, throttling, other users.

NVML (package nvidia-ml-py) is optional: without it clocks are unknown and nothing is marked.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol, TypeVar

T = TypeVar("T")

HW_SLOWDOWN, SW_THERMAL, HW_THERMAL, HW_POWER_BRAKE = 0x8, 0x20, 0x40, 0x80
SW_POWER_CAP: Final = 0x4
THROTTLES: Final = {
    SW_THERMAL: "software thermal slowdown",
    HW_THERMAL: "hardware thermal slowdown",
    HW_POWER_BRAKE: "power brake",
    HW_SLOWDOWN: "hardware slowdown",
}
"""Bits of NVML's reasons for a low clock that spoil a measurement. The software power cap is not
among them: it is how a large matrix product runs, and will run in training."""
OTHERS_BYTES: Final = 3e9
"""More than this beside torch's own memory is another process: a CUDA context and what the
driver keeps are less. [bytes]"""
BUSY_PERCENT: Final = 10
LOOKS, BETWEEN_LOOKS_S = 5, 0.2
"""NVML averages utilisation over up to a second, so what just ended still shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The state of a GPU at one moment."""

    clock_hz: float = 0.0
    """SM clock; 0 is unknown. [Hz]"""
    throttled: str = ""
    """Why the time is not to be trusted."""
    capped: bool = False
    """The power limit holds the clock down."""


class Gauge(Protocol):
    """Who reads a device."""

    def read(self) -> Reading:
        """Return clock and throttling now."""

    def crowded(self, own_bytes: float) -> str:
        """Say who else holds memory, beside `own_bytes` of this process; empty is nobody."""

    def loaded(self) -> str:
        """Say that the device works while this process does not; empty is idle."""

    def facts(self) -> Mapping[str, str]:
        """Return driver, clocks and power limit, as far as they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoGauge:
    """A device that nobody reads."""

    def read(self) -> Reading:
        """Return that nothing is known."""
        return Reading()

    def crowded(self, own_bytes: float) -> str:  # noqa: ARG002  # the Protocol's name
        """Return nobody."""
        return ""

    def loaded(self) -> str:
        """Return idle."""
        return ""

    def facts(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class NvmlGauge:
    """A GPU read through NVML. What one driver does not support is unknown, not an error."""

    nvml: Any
    """The module pynvml."""
    handle: Any

    def read(self) -> Reading:
        """Return clock and throttling now."""
        reasons = getattr(
            self.nvml,
            "nvmlDeviceGetCurrentClocksEventReasons",
            getattr(self.nvml, "nvmlDeviceGetCurrentClocksThrottleReasons", None),
        )
        bits = self._ask(lambda: int(reasons(self.handle)), 0) if reasons else 0
        clock = self.nvml.nvmlDeviceGetClockInfo
        sm = self.nvml.NVML_CLOCK_SM
        return Reading(
            clock_hz=self._ask(lambda: 1e6 * clock(self.handle, sm), 0.0),
            throttled=", ".join(text for bit, text in THROTTLES.items() if bits & bit),
            capped=bool(bits & SW_POWER_CAP),
        )

    def crowded(self, own_bytes: float) -> str:
        """Say who else holds memory, beside `own_bytes` of this process; empty is nobody."""
        used = self._ask(lambda: float(self.nvml.nvmlDeviceGetMemoryInfo(self.handle).used), 0.0)
        others = used - own_bytes
        return f"other processes hold {others / 1e9:.1f} GB" if others > OTHERS_BYTES else ""

    def loaded(self) -> str:
        """Say that the device works while this process does not; empty is idle."""
        percent = 0
        for look in range(LOOKS):
            rates = self._ask(lambda: self.nvml.nvmlDeviceGetUtilizationRates(self.handle), None)
            percent = 0 if rates is None else int(rates.gpu)
            if percent <= BUSY_PERCENT:
                return ""
            if look + 1 < LOOKS:
                time.sleep(BETWEEN_LOOKS_S)
        return f"another process keeps the GPU {percent} % busy"

    def facts(self) -> Mapping[str, str]:
        """Return driver, clocks and power limit, as far as they are known."""
        nvml, handle = self.nvml, self.handle
        driver: Any = self._ask(nvml.nvmlSystemGetDriverVersion, "")
        clock = self._ask(lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM), 0)
        power = self._ask(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000, 0.0)
        known = {
            "driver": driver.decode() if isinstance(driver, bytes) else driver,
            "sm_clock_max_mhz": f"{clock:.0f}" if clock else "",
            "power_limit_w": f"{power:.0f}" if power else "",
        }
        return {key: text for key, text in known.items() if text}

    def _ask(self, question: Callable[[], T], unknown: T) -> T:
        try:
            return question()
        except self.nvml.NVMLError:
            return unknown


def gauge_of(uuid: str) -> Gauge:
    """Return the gauge of the GPU with this UUID, or one that knows nothing without NVML.

    The UUID, because NVML counts all GPUs of the machine and torch those that it may see.
    """
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return NoGauge()
    name = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
    try:
        nvml.nvmlInit()
        return NvmlGauge(nvml=nvml, handle=nvml.nvmlDeviceGetHandleByUUID(name))
    except nvml.NVMLError:
        return NoGauge()
