import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from plan3d.planner.validation import Evaluate, Profiles, Run, Runs, published_runs, validate

Build = Callable[..., Run]
Fake = Callable[..., Evaluate]


def test_scores_by_suite_count_each_suite_once(run: Build, profiles: Profiles, fake: Fake) -> None:
    rows = (
        run(id="1", suite="a", iter_s=1.0),
        run(id="2", suite="a", iter_s=2.0),
        run(id="3", suite="b", iter_s=4.0),
    )
    report = validate(Runs(rows=rows), profiles, fake(lambda t: np.full(len(t), 2.0), 1e9))
    assert report.time.suites["a"].mape == 0.5  # 100 % and 0 %
    assert report.time.suites["b"].bias == -0.5
    assert (report.time.macro_mape, report.time.macro_bias) == (0.5, 0.0)


def test_a_free_choice_is_the_fastest_that_fits(run: Build, profiles: Profiles, fake: Fake) -> None:
    # Larger micro-batches are faster, but 4 x 20 GB and what else there is exceed 80 GB.
    free = run(micro_batch=None, global_batch=8)
    report = validate(Runs(rows=(free,)), profiles, fake(lambda t: 1 / t.micro_batch, 20e9))
    assert report.predictions[0].layout.micro_batch == 2
    # Where none fits, the smallest.
    report = validate(Runs(rows=(free,)), profiles, fake(lambda t: 1 / t.micro_batch, 90e9))
    assert report.predictions[0].layout.micro_batch == 1
    assert report.assumed == {"micro_batch: the best": 1}


def test_sweeps_are_ranked(run: Build, profiles: Profiles, fake: Fake) -> None:
    rows = tuple(
        run(id=str(m), micro_batch=m, global_batch=16, iter_s=float(m)) for m in (1, 2, 4, 8, 16)
    )
    report = validate(Runs(rows=rows), profiles, fake(lambda t: 4 / t.micro_batch, 1e9))
    (sweep,) = report.sweeps
    assert (sweep.n, sweep.tau, sweep.regret) == (5, -1.0, 15.0)
    assert validate(Runs(rows=rows[:4]), profiles, fake(lambda t: t.tp)).sweeps == ()


def test_out_of_memory(run: Build, profiles: Profiles, fake: Fake) -> None:
    """The fake fits up to 1 sequence: of 3 runs 2 are right, of 2 that ran out of memory 1."""
    sweep = (
        run(id="1", micro_batch=1, global_batch=4, iter_s=1.0),
        run(id="2", micro_batch=1, global_batch=4, iter_s=1.0),
        run(id="3", micro_batch=2, global_batch=4, iter_s=1.0),
        run(id="4", micro_batch=2, global_batch=4, iter_s=None, oom=1),
        run(id="5", micro_batch=1, global_batch=4, iter_s=None, oom=1),
    )
    other = run(id="6", source="another", iter_s=1.0)  # of a sweep without such rows
    report = validate(Runs(rows=(*sweep, other)), profiles, fake(lambda t: t.tp, 50e9))
    assert report.oom_n == 5
    assert report.oom_balanced_accuracy == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_what_is_skipped_is_counted(run: Build, profiles: Profiles, fake: Fake) -> None:
    rows = (
        run(id="1", flag=1),
        run(id="2", seq=None),
        run(id="3", iter_s=None),
        run(id="4", tp=20_000_000, gpus=20_000_000),
    )
    report = validate(
        Runs(rows=rows, rejected=(("unreadable: duplicate id", "row 9"),)), profiles, fake(len)
    )
    assert report.skipped == {
        "unreadable: duplicate id": 1,
        "flagged by its source": 1,
        "no sequence length stated": 1,
        "nothing measured, or by an unstated FLOP convention": 1,
        "impossible layout": 1,
    }
    assert report.time.macro_mape is None
    assert report.to_json()["scored"] == 0


def test_json_and_rows_are_plain(run: Build, profiles: Profiles, fake: Fake) -> None:
    report = validate(Runs(rows=(run(mem_gb=50.0),)), profiles, fake(lambda t: 2 * t.pp, 10e9))
    plain = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert set(plain) == {
        "time", "ranking", "memory", "oom", "skipped", "scored", "assumed",
    }  # fmt: skip
    assert set(plain["time"]["suites"]["a"]) == {"n", "mape", "bias", "p90"}
    assert plain["memory"]["mape"] == pytest.approx(0.2)  # 4 x 10 GB against 50 GB
    row = report.predictions[0].to_row()
    assert (row["predicted_s"], row["matmul_s"], row["id"]) == (2.0, 2.0, "a-1")
    json.dumps(row, allow_nan=False)


def test_order_is_that_of_the_file(run: Build, profiles: Profiles, fake: Fake) -> None:
    rows = tuple(run(id=str(i), seq=(2048, 1024)[i % 2]) for i in range(4))
    report = validate(Runs(rows=rows), profiles, fake(lambda t: t.tp))
    assert [p.run.id for p in report.predictions] == ["0", "1", "2", "3"]


def test_the_shipped_runs_can_be_expressed(profiles: Profiles, fake: Fake) -> None:
    runs = published_runs()
    report = validate(runs, profiles, fake(lambda t: t.tp))
    assert len(report.predictions) + len(report.doubtful) >= 0.98 * len(runs.rows)


def test_a_wrong_unit_is_named_and_left_out(run: Build, profiles: Profiles, fake: Fake) -> None:
    """Milliseconds for seconds, and MB for GB: no error of a model is that large."""
    good = run(id="good", iter_s=1.0)
    rows = (good, run(id="ms", iter_s=1000.0), run(id="mb", iter_s=1.0, mem_gb=61_000.0))
    report = validate(Runs(rows=rows), profiles, fake(lambda t: 0 * t.tp + 1.2))
    assert [p.run.id for p in report.predictions] == ["good"]
    assert report.skipped == {"wrong unit of time": 1, "wrong unit of memory": 1}
    assert "run ms: a step of 1000 s by iter_s is 833 times" in report.doubtful[0]
    assert "run mb: mem_gb 61000 is 56810.7 GiB, on a GPU of" in report.doubtful[1]


def test_gb_for_gib_is_named_on_a_full_gpu(run: Build, profiles: Profiles, fake: Fake) -> None:
    """72 GiB are 77.3 GB: read as GiB, which the notes ask for, more than 80 GB (74.5 GiB)."""
    rows = tuple(run(id=str(gb), mem_gb=gb, notes="GiB", iter_s=1.0) for gb in (72.0, 77.3))
    report = validate(Runs(rows=rows), profiles, fake(lambda t: 0 * t.tp + 1.0))
    assert [p.run.id for p in report.predictions] == ["72.0"]
    assert report.skipped == {"wrong unit of memory": 1}
    assert report.doubtful[0].startswith("run 77.3: mem_gb 77.3 is 77.3 GiB, on a GPU of 74.5")


def test_a_share_of_the_memory_is_no_gb(run: Build, profiles: Profiles, fake: Fake) -> None:
    """200 GB of a micro-batch of 4 are predicted: 0.62 is 323 times less, 12.5 is 16 times less."""
    rows = tuple(run(id=str(gb), mem_gb=gb, iter_s=1.0) for gb in (0.62, 12.5))
    report = validate(Runs(rows=rows), profiles, fake(lambda t: 0 * t.tp + 1.0))
    assert [p.run.id for p in report.predictions] == ["12.5"]
    assert report.doubtful[0].startswith("run 0.62: mem_gb 0.62 is 323 times less than predicted")


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ({"tp": 7}, "tp 7, pp 1, cp 1, dp 1 and ep unstated do not multiply to gpus 8"),
        ({"tp": 8, "heads": 12}, "tp 8 does not divide heads 12"),
        ({"tp": 1, "pp": 8, "vpp": 7}, "pp 8 times vpp 7 are more stages than layers 48"),
        ({"gpu": "abacus"}, "gpu is 'abacus'"),
        ({"tp": 2, "dp": 4, "ep": 4}, "ep 4 does not divide experts unstated"),
        ({"tp": 2, "dp": 4, "ep": 4, "experts": 6}, "ep 4 does not divide experts 6"),
        ({"micro_batch": 8}, "dp 1 times micro_batch 8 are more sequences than global_batch 4"),
    ],
)
def test_a_contradiction_is_named_and_left_out(
    changes: dict[str, Any], columns: str, run: Build, profiles: Profiles, fake: Fake
) -> None:
    rows = (run(id="good", gpus=8), run(**{"id": "odd", "gpus": 8, **changes}))
    report = validate(Runs(rows=rows), profiles, fake(lambda t: 0 * t.tp + 1.0))
    assert [p.run.id for p in report.predictions] == ["good"]
    assert sum(report.skipped.values()) == 1
    assert len(report.doubtful) == 1
    assert report.doubtful[0].startswith("run odd: ")
    assert columns in report.doubtful[0]


def test_progress_counts_the_runs(run: Build, profiles: Profiles, fake: Fake) -> None:
    told: list[tuple[int, int]] = []
    rows = (run(id="1"), run(id="2", flag=1))
    validate(
        Runs(rows=rows), profiles, fake(lambda t: np.full(len(t), 2.0), 1e9),
        progress=lambda *part: told.append(part),
    )  # fmt: skip
    assert told == [(0, 2), (1, 2)]
