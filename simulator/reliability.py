r"""How often a job stops, and what its checkpoints and restarts leave of the time.

References
----------
.. [1] Llama team, "The Llama 3 Herd of Models", 2024, sections 3.3.1 and 3.3.4, table 5: 16,384
   H100, 54 days, 419 unexpected interruptions, of them 246 by GPUs; storage of 2 TB/s.
   arXiv:2407.21783
.. [2] Z. Jiang et al., "MegaScale", NSDI 2024, section 6.3: a failure is detected and diagnosed in
   less than 10 minutes. arXiv:2402.15627
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from plan3d.simulator.errors import InputError
from plan3d.simulator.goodput import (
    checkpoint_bytes,
    checkpoint_s,
    daly_interval_s,
    goodput_fraction,
    job_mtbf_s,
    young_interval_s,
)
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.parameters import total_params
from plan3d.simulator.textbook_memory import optimizer_bytes_per_parameter
from plan3d.simulator.workload import Workload

DAY_S: Final = 86400.0
HOST_GPUS: Final = 8
"""GPUs of one host at most: a larger NVLink domain, as of an NVL72 rack, is several hosts. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How often parts fail, and how fast a job comes back. `SOURCES`: where the defaults are from.

    Infinite times between failures are parts that never fail.
    """

    gpu_mtbf_s: float = 16_384 * 54 / 246 * DAY_S
    """Mean time between the failures of one GPU. [s]"""
    node_mtbf_s: float = 2_048 * 54 / 173 * DAY_S
    """Mean time between the failures of all else, by node of up to eight GPUs. [s]"""
    restart_s: float = 600.0
    """From a failure to the moment when the checkpoint is read. [s]"""
    node_bytes_per_s: float = 1e9
    """What the storage takes, and gives, by such a node. [bytes/s]"""

    def __post_init__(self) -> None:
        for name in ("gpu_mtbf_s", "node_mtbf_s", "node_bytes_per_s"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name):g}, but must be above 0")
        if not 0 <= self.restart_s < float("inf"):
            raise InputError(f"restart_s is {self.restart_s:g}, but must be a number from 0")


SOURCES: Final[Mapping[str, str]] = {
    "gpu_mtbf_s": "Llama 3: 246 failures of 16,384 H100 in 54 days (arXiv:2407.21783, table 5)",
    "node_mtbf_s": "Llama 3: 173 other interruptions of 2,048 nodes in 54 days (there)",
    "restart_s": "MegaScale: detected and diagnosed in less than 10 min (arXiv:2402.15627, 6.3)",
    "node_bytes_per_s": "Llama 3: storage of 2 TB/s for 2,048 nodes (arXiv:2407.21783, 3.3.1)",
}
"""Where the defaults of `Reliability` are from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruptions:
    """What failures and checkpoints leave of a job's time."""

    mtbf_s: float
    """Between two failures of the job. [s]"""
    checkpoint_bytes: float
    """One checkpoint, over all ranks. [bytes]"""
    write_s: float
    young_s: float
    """Best training time between checkpoints, to first order. [s]"""
    interval_s: float
    """The same to higher order (Daly): the one that is taken. [s]"""
    restart_s: float
    """From a failure to training again: the checkpoint is read back. [s]"""
    goodput: float
    """Share of the time that trains and is not lost. [1]"""


def checkpoint_size(model: ModelSpec, work: Workload) -> float:
    """Return the size of a checkpoint, over all ranks [bytes].

    It holds each parameter once: as the forward pass reads it, and as the optimizer keeps it (the
    terms of `plan3d.simulator.memory`, summed over the ranks without the copies).
    """
    kept = optimizer_bytes_per_parameter(work.precision, work.optimizer)
    return float(checkpoint_bytes(total_params(model), work.precision.weight_bytes + kept))


def interruptions(
    model: ModelSpec, work: Workload, gpus: int, gpus_per_node: int, parts: Reliability
) -> Interruptions:
    """Return what failures cost a job.

    Parameters
    ----------
    model, work
        Size of a checkpoint.
    gpus, gpus_per_node
        Parts that can fail, and what reads and writes.
    parts
        How often they do, and how fast it goes on.
    """
    nodes = -(-gpus // min(gpus_per_node, HOST_GPUS))
    mtbf_s = job_mtbf_s(parts.node_mtbf_s, nodes, parts.gpu_mtbf_s, gpus)
    size = checkpoint_size(model, work)
    write_s = checkpoint_s(size, nodes * parts.node_bytes_per_s)
    interval_s = daly_interval_s(write_s, mtbf_s)
    restart_s = parts.restart_s + write_s
    return Interruptions(
        mtbf_s=float(mtbf_s),
        checkpoint_bytes=size,
        write_s=float(write_s),
        young_s=float(young_interval_s(write_s, mtbf_s)),
        interval_s=float(interval_s),
        restart_s=float(restart_s),
        goodput=float(goodput_fraction(interval_s, write_s, restart_s, mtbf_s)),
    )
