"""A job of 4 GPUs at 0.001 USD/s each, 10 tokens a step."""

import numpy as np
import pytest

from plan3d.planner.objectives import OBJECTIVES, named
from plan3d.simulator.errors import InputError
from tests.planner.jobs import cluster, job

JOB = job(4, seq=5, batch=2)
TIME_S = np.array([2.0, 3.0])
MEMORY_BYTES = np.array([7.0, 5.0])


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("time", [2.0, 3.0]),
        ("cost", [0.008, 0.012]),
        ("memory", [7.0, 5.0]),
        ("tokens-per-dollar", [0.0008, 0.0012]),
        ("pareto", [2.0, 3.0]),
    ],
)
def test_score(name: str, score: list[float]) -> None:
    assert named(name, JOB).score(JOB, TIME_S, MEMORY_BYTES) == pytest.approx(score)


def test_only_pareto_keeps_a_front() -> None:
    assert [name for name, objective in OBJECTIVES.items() if objective.front] == ["pareto"]


def test_an_unknown_objective() -> None:
    with pytest.raises(InputError, match="there are: cost, memory, pareto, time"):
        named("speed", JOB)


def test_cost_needs_a_price() -> None:
    free = job(4, cluster=cluster(usd_per_s=0.0))
    with pytest.raises(InputError, match="some-gpu has none"):
        named("cost", free)
    assert named("time", free).name == "time"
