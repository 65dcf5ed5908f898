"""The runs of other sources: whole, of no published job, and out of reach of whatever fits."""

import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from plan3d.planner.uncertainty import shipped
from plan3d.planner.validation import Run, elsewhere_runs, published_runs, validate
from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.rows import case_of
from tests.planner.validation.test_accuracy import Shipped

ROOT = Path(__file__).parents[3]
READERS = {
    "benchmarks/accuracy_others.py",
    "benchmarks/constants_table.py",
    "benchmarks/intervals.py",
    "cli/commands/validate_command.py",
    "planner/validation/__init__.py",
    "planner/validation/runs.py",
}
"""Those that may know of these runs: what shows their scores, and what learns how wrong predictions
are from them; nothing that fits or chooses what is predicted."""

RUNS = elsewhere_runs()


def job(run: Run) -> tuple[object, ...]:
    degrees = (run.tp, run.pp, run.vpp or 1, run.cp or 1, run.ep or 1)
    batch = (run.seq, run.micro_batch, run.global_batch)
    return (run.layers, run.hidden, run.gpu, run.gpus, *degrees, *batch)


def test_every_row_is_read_and_says_where_it_is_from() -> None:
    assert RUNS.rejected == ()
    assert len(RUNS.suites) >= 8
    for run in RUNS.rows:
        assert run.source, run.id
        assert run.ref, run.id
        assert run.notes, run.id
        assert run.iter_s or run.tokens_s_gpu or run.tflops_gpu or run.mfu, run.id
        assert "from memory" not in run.said or run.flag, run.id


def test_nothing_is_in_both_files() -> None:
    published = published_runs()
    assert not set(RUNS.suites) & set(published.suites)
    for name in ("id", "source", "ref"):
        both = {getattr(run, name) for run in RUNS.rows} & {
            getattr(run, name) for run in published.rows
        }
        assert both <= {""}, name
    assert not {job(run) for run in RUNS.rows} & {job(run) for run in published.rows}


def test_no_row_is_there_twice() -> None:
    told = [replace(run, id="", ref="", model="") for run in RUNS.rows]
    assert len(set(told)) == len(told)


def test_every_row_without_a_flag_is_predicted() -> None:
    for run in RUNS.rows:
        if run.flag:
            with pytest.raises(SkipError, match="flagged"):
                case_of(run, Shipped())
        else:
            assert case_of(run, Shipped()).measured_s, run.id


def test_a_time_computed_from_a_fraction_of_the_peak_by_hand() -> None:
    """Vocabulary parallelism, table 5: 8 GPUs, 2,048 tokens, a vocabulary of 32 k: 46.16 %."""
    run = next(run for run in RUNS.rows if run.id == "vocab-pp-001")
    layers = 32 * (72 * 2048 * 3072**2 + 12 * 2048**2 * 3072)
    ends = 6 * 2048 * 3072 * 32000 + 3 * 2048 * 3072
    assert run.iter_s == pytest.approx(128 * (layers + ends) / (8 * 312e12 * 0.4616), rel=1e-4)


def test_nothing_that_fits_or_chooses_knows_of_them() -> None:
    found = {
        str(path.relative_to(ROOT))
        for folder in ("benchmarks", "cli", "hardware_profiles", "planner", "simulator")
        for path in (ROOT / folder).rglob("*.py")
        if "elsewhere_runs" in path.read_text() or "elsewhere.csv" in path.read_text()
    }
    assert found == READERS


def test_the_table_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    page = runpy.run_path(str(ROOT / "benchmarks" / "accuracy_others.py"))
    *rows, last = page["others"](dict.fromkeys(RUNS.suites, shipped()))
    assert [row[0] for row in rows] == list(RUNS.suites)
    assert {len(row) for row in (*rows, last)} == {len(page["HEAD"])}
    assert last[1] == "other-source score"
    shown = [float(row[3].removesuffix(" %")) for row in rows]
    assert float(last[3].removesuffix(" %")) == pytest.approx(sum(shown) / len(shown), abs=0.1)
    assert sum(int(row[2]) for row in rows) == int(last[2]) == sum(not r.flag for r in RUNS.rows)
    assert set(page["recorded"]()) == set(RUNS.suites)
    assert page["score"]() == last[3]
    *ranked, every = page["sweeps"]()
    assert {len(row) for row in (*ranked, every)} == {len(page["SWEEPS_HEAD"])}
    assert sum(int(row[1]) for row in ranked) == int(every[1])
    weighted = sum(int(row[1]) * float(row[3]) for row in ranked) / int(every[1])
    assert float(every[3]) == pytest.approx(weighted, abs=0.01)
    assert page["regret"]() == every[4]


def test_who_else_ran_what_rests_on_one_suite() -> None:
    page = runpy.run_path(str(ROOT / "benchmarks" / "constants_table.py"))
    names = ["fsdp2-2025-async-tp", "fsdp2-2024-async-tp", "fsdp2-2024"]
    assert list(page["shared"](names[0])) == names
    score = validate(RUNS.of_suite("azure-nemo"), Shipped()).time.suites["azure-nemo"]
    (row,) = page["other_sources"]("nemo-launcher", "nemo-2022")
    assert row[:4] == ("nemo-launcher", "nemo-2022", "azure-nemo", str(score.n))
    assert row[4:] == (f"{100 * score.mape:.1f} %", f"{100 * score.bias:+.1f} %")
    (network,) = page["other_sources"]("bloom", "opa-4x100")
    on_several_nodes = [run for run in RUNS.of_suite("lucie").rows if run.gpus > 8]
    assert network[2:4] == ("lucie", str(len(on_several_nodes)))
    (nobody,) = page["other_sources"]("mine", "a generation that nobody ran")
    assert nobody == ("mine", "a generation that nobody ran", "none found", "", "", "")
