"""Fit the latencies of AWS's network to what jobs measured of their own collectives.

Run as ``python benchmarks/fit_network.py [--write]``, on published runs whose jobs recorded them
(planner/validation/recorded.csv): all-reduce and all-gather of 256 MiB before they trained, on four
nodes and more, in healthy jobs: an all-reduce inside a node reaches its bandwidth. Each gives the
latency between nodes with which the law takes as long as it measured; the value is their median,
its standard error that of the jackknife over the numbers of nodes. No step time has a part in it.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from fit_software import PROFILES

from plan3d import hardware_profiles
from plan3d.planner.validation.own_network import MESSAGE_BYTES, reaches_bandwidth
from plan3d.planner.validation.recorded import recorded_runs
from plan3d.planner.validation.runs import Run
from plan3d.simulator.collectives import all_gather_s, all_reduce_s
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.numeric import Numeric
from plan3d.simulator.placement import Group

NETWORK: Final = "efa-p5"
LEAST: Final = 4
"""Nodes: on fewer, latency is a small part of such a collective. [1]"""
Collective = Callable[[float, Group, Cluster], Numeric]
FITTED: Final[Sequence[tuple[str, str, Collective, float]]] = (
    ("tree_latency", "allreduce_gb_s", all_reduce_s, 2.0),
    ("ring_latency", "allgather_gb_s", all_gather_s, 1.0),
)
"""Keys of the profile, what jobs recorded, and how often its law sends the message."""


def main() -> None:
    """Fit and print, or write into the profile."""
    cluster = hardware_profiles.compose(gpu="h100-80g-sxm", network=NETWORK)
    size = cluster.gpus_per_node
    jobs = [run for run in recorded_runs().rows if run.node_allreduce_gb_s]
    jobs = [run for run in jobs if run.gpus >= LEAST * size and reaches_bandwidth(cluster, run)]
    nodes = np.array([run.gpus // size for run in jobs])
    for key, column, collective, passes in FITTED:
        each = np.array([latency_s(cluster, key, run, getattr(run, column), collective, passes)
                         for run in jobs])  # fmt: skip
        others = [float(np.median(each[nodes != n])) for n in np.unique(nodes)]
        error = np.sqrt((len(others) - 1) * np.var(others))
        value, spread = f"{1e6 * np.median(each):.0f} us", f"{1e6 * error:.0f} us"
        print(f"{NETWORK}.{key}: {value} +- {spread} ({len(jobs)} jobs)")
        if "--write" in sys.argv:
            whose = f"{len(jobs)} jobs of {', '.join(sorted({run.suite for run in jobs}))}"
            where = f"{nodes.min()}-{nodes.max()} nodes"
            write(key, value, f"{whose} on {where} ({column} of recorded.csv): +- {spread}")


def latency_s(
    cluster: Cluster, key: str, run: Run, bus_gb_s: float, collective: Collective, passes: float
) -> float:
    """Return the latency with which the law takes as long as a job measured [s].

    The law is linear in it, as long as it takes the same way round.
    """
    group = Group(size=run.gpus, local=cluster.gpus_per_node)
    measured_s = passes * MESSAGE_BYTES * (1 - 1 / run.gpus) / (bus_gb_s * 1e9)
    shipped_s = getattr(cluster.network, f"{key}_s")
    ends = (shipped_s, 2 * shipped_s)
    one, two = (
        float(collective(MESSAGE_BYTES, group, replace(cluster, network=slower)))
        for slower in (replace(cluster.network, **{f"{key}_s": end}) for end in ends)
    )
    return float(shipped_s * (1 + (measured_s - one) / (two - one)))


def write(key: str, value: str, source: str) -> None:
    """Put a value in the profile, with its source."""
    path = PROFILES / "networks" / f"{NETWORK}.toml"
    text = path.read_text(encoding="utf-8")
    line = (
        f'{key} = {{ value = "{value}", mark = "measured", source = "benchmarks/fit_network.py on '
        f'{source}" }}'
    )
    path.write_text(re.sub(rf"^{key} = .*$", lambda _: line, text, flags=re.M), encoding="utf-8")


if __name__ == "__main__":
    main()
