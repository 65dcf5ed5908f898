"""What docs/decisions/simulated-runs.md says of a suite: figures that no clock printed."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from plan3d.planner.validation import Run, published_runs

ROUNDED_S = 0.5e-6
"""The file has microseconds; a prediction from four rows or more adds up a few such errors."""
SIMULATED = "vTrain:data/ground_truth_single.csv"
OURS = tuple(run for run in published_runs().rows if SIMULATED in run.ref)


def test_all_of_one_suite_and_no_other_are() -> None:
    assert {run.suite for run in OURS} == {"vtrain-single"}
    assert all(SIMULATED in run.ref for run in published_runs().rows if run.suite == OURS[0].suite)


def _predictions() -> Iterator[tuple[Run, float]]:
    """Yield runs without replicas, and what the others of their kind say by adding up [s].

    Of micro-batches m, and layers l: a + b m + c m l + d l, each kind with four numbers of its own.
    """
    kinds: dict[object, list[Run]] = defaultdict(list)
    for run in OURS:
        if run.dp == 1:
            kinds[run.tp, run.pp, run.micro_batch, run.hidden].append(run)
    for runs in kinds.values():
        m = np.array([(r.global_batch or 0) / (r.micro_batch or 1) for r in runs])
        layers = np.array([r.layers for r in runs])
        terms = np.column_stack([np.ones(len(runs)), m, m * layers, layers])
        times_s = np.array([r.iter_s or 0.0 for r in runs])
        for i, run in enumerate(runs):
            rest = np.arange(len(runs)) != i
            if np.linalg.matrix_rank(terms[rest]) == np.linalg.matrix_rank(terms):
                numbers = np.linalg.lstsq(terms[rest], times_s[rest], rcond=None)[0]
                yield run, float(terms[i] @ numbers)


def test_each_is_the_sum_of_its_parts_to_the_microsecond() -> None:
    found = list(_predictions())
    assert len(found) > 90
    off_s = [abs(predicted_s - (run.iter_s or 0.0)) for run, predicted_s in found]
    assert max(off_s) < 6 * ROUNDED_S
    assert min(run.iter_s or 0.0 for run, _ in found) > 0.06  # so 50 millionths at most


def test_replicas_cost_what_the_simulators_table_says() -> None:
    """Steps of 8 and of 4 replicas differ by 438.6 us.

    As much as 487 MiB take longer in its trace/a100/AR_GPU8_1M_1024M_LUT than in AR_GPU4_...:
    3,987.9 and 3,549.3 us, to which 255,129,600 weights of 2 bytes are rounded: 12 layers,
    positions, and the vocabulary twice.
    """
    rows: dict[int, dict[int, float]] = defaultdict(dict)
    for run in OURS:
        shape = (run.tp, run.pp, run.micro_batch, run.hidden, run.layers)
        if shape == (1, 1, 1, 1024, 12) and run.dp in (4, 8):
            rows[run.dp][(run.global_batch or 0) // run.dp] = run.iter_s or 0.0
    assert rows[4].keys() == {2, 8}
    assert rows[8].keys() == {2, 4}
    each_s = (rows[4][8] - rows[4][2]) / 6
    assert (rows[8][4] - rows[8][2]) / 2 == pytest.approx(each_s, abs=2 * ROUNDED_S)
    assert rows[8][2] - rows[4][2] == pytest.approx(438.6e-6, abs=2 * ROUNDED_S)
