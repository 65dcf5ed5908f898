"""Models whose shapes the tests measure, and devices that are not there."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from plan3d.hardware_profiles.measure.gauge import NoGauge, Reading
from plan3d.simulator.model import Experts, LatentAttention, ModelSpec

DENSE = ModelSpec(
    name="dense", layers=2, hidden=4096, heads=32, kv_heads=8, head_dim=128, ffn=14336,
    vocab=128_256, gated=True, norm="rmsnorm", positions="rotary",
)  # fmt: skip
OLD = ModelSpec(
    name="old", layers=2, hidden=2048, heads=32, kv_heads=32, head_dim=64, ffn=8192, vocab=50_257
)
SPARSE = ModelSpec(
    name="sparse", layers=2, hidden=2048, heads=16, kv_heads=16, head_dim=128, ffn=8192,
    vocab=32_000, gated=True, experts=Experts(count=8, top_k=2, ffn=1024),
    latent=LatentAttention(q_rank=512, kv_rank=256, nope_dim=128, rope_dim=64, v_dim=128),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeGauge(NoGauge):
    """A gauge that reads what it is told to."""

    reading: Reading = field(default_factory=Reading)
    others: str = ""

    def read(self) -> Reading:
        return self.reading

    def crowded(self, own_bytes: float) -> str:
        return self.others if own_bytes < 1e9 else ""


class FakeNvmlError(Exception):
    pass


def nvml(**changes: Any) -> SimpleNamespace:
    """Return a driver with an idle GPU; changes replace its functions or their results."""
    answers: dict[str, Any] = {
        "nvmlInit": None,
        "nvmlDeviceGetHandleByUUID": "handle",
        "nvmlDeviceGetCurrentClocksEventReasons": 0,
        "nvmlDeviceGetClockInfo": 1755,
        "nvmlDeviceGetMaxClockInfo": 1980,
        "nvmlDeviceGetEnforcedPowerLimit": 700_000,
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=int(0.6e9)),
        "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=0),
        "nvmlSystemGetDriverVersion": "550.54.15",
    } | changes
    functions = {
        name: value if callable(value) else (lambda *_, value=value: value)
        for name, value in answers.items()
    }
    return SimpleNamespace(**functions, NVML_CLOCK_SM=1, NVMLError=FakeNvmlError)
