from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from plan3d import hardware_profiles
from plan3d.planner.validation import Run
from plan3d.planner.validation.prediction import Evaluate
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.result import EstimateTable
from plan3d.simulator.software import Software

FACTS = {
    "id": "a-1", "suite": "a", "year": 2022, "framework": "Megatron-LM", "model": "GPT-22B",
    "layers": 48, "hidden": 6144, "heads": 64, "gated_mlp": 0, "vocab": 51200, "seq": 2048,
    "gpu": "a100-80g-sxm", "gpus": 8, "gpus_per_node": 8, "precision": "fp16",
    "tp": 8, "pp": 1, "dp": 1, "zero": 0, "sp": 0, "recompute": "full",
    "micro_batch": 4, "global_batch": 4, "iter_s": 1.42,
}  # fmt: skip
"""Korthikanti et al. (arXiv:2205.05198), table 5: the 22B model, full recomputation."""


class Shipped:
    def cluster(self, gpu: str, gpus_per_node: int, network: str) -> Cluster:
        return hardware_profiles.compose(gpu=gpu, gpus_per_node=gpus_per_node, network=network)

    def software(self, name: str) -> Software:
        return hardware_profiles.software(name)


@pytest.fixture
def profiles() -> Shipped:
    return Shipped()


@pytest.fixture
def run() -> Callable[..., Run]:
    def build(**changes: object) -> Run:
        return Run(**(FACTS | changes))  # type: ignore[arg-type]

    return build


def constant(time_s: Callable[[LayoutTable], object], bytes_: float = 50e9) -> Evaluate:
    """A cost model that knows the answer: for tests of everything around it."""

    def evaluate(*question: Any) -> EstimateTable:
        _, work, _, _, table = question
        zero = np.zeros(len(table))
        memory = dict.fromkeys(EstimateTable.MEMORY, zero)
        return EstimateTable(
            time=dict.fromkeys(EstimateTable.TIME, zero)
            | {"matmul_s": zero + np.asarray(time_s(table))},
            link=dict.fromkeys(EstimateTable.LINK, zero),
            memory=memory
            | {
                "activations_bytes": bytes_ * table.micro_batch,
                "context_bytes": zero + 2e9,
                "margin_bytes": zero + 1e9,
            },
            stage=zero,
            first_stage=memory,
            hardware_flop=zero,
            gpus=table.tp * table.pp * table.dp * table.cp,
            model_flop=1.0,
            capacity_bytes=80e9,
            peak_flop_per_s=312e12,
            tokens=float(work.tokens),
        )

    return evaluate


@pytest.fixture
def fake() -> Callable[..., Evaluate]:
    return constant
