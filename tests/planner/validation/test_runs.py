from pathlib import Path

import pytest

from plan3d.planner.validation import published_runs, read_runs
from plan3d.simulator.errors import InputError

HEADER = "id,suite,year,framework,layers,hidden,heads,seq,gpu,gpus,tp,pp,global_batch,iter_s,notes"
ROW = "a-1,a,2022,Megatron-LM,48,6144,64,2048,a100-80g-sxm,8,8,1,4,1.42,hello"


def write(path: Path, *lines: str) -> Path:
    file = path / "runs.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_reads_typed_fields_and_leaves_empty_ones_open(tmp_path: Path) -> None:
    (run,) = read_runs(write(tmp_path, HEADER, ROW.replace(",8,1,4,", ",8.0,1,,"))).rows
    assert (run.tp, run.global_batch, run.iter_s, run.micro_batch) == (8, None, 1.42, None)
    assert run.said == "megatron-lm | hello"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ROW.replace("2048", "2048.5"), "impossible value in seq"),
        (ROW.replace("1.42", "nan"), "impossible value in iter_s"),
        (ROW.replace("1.42", "-1"), "impossible value in iter_s"),
        (ROW.replace("1.42", "0"), "impossible value in iter_s"),
        (ROW.replace("1.42", "1e400"), "impossible value in iter_s"),
        (ROW.replace(",8,8,1,", ",0,8,1,"), "impossible value in gpus"),
        (ROW.replace(",48,", ",,"), "no layers"),
        (ROW + ",more", "wrong number of fields"),
        (ROW, "duplicate id"),
    ],
)
def test_a_bad_row_is_left_out_and_counted(tmp_path: Path, row: str, reason: str) -> None:
    row = row if row == ROW else row.replace("a-1", "a-2")
    last = ROW.replace("a-1", "a-3")
    runs = read_runs(write(tmp_path, HEADER, ROW, row, last))
    assert [run.id for run in runs.rows] == ["a-1", "a-3"]
    assert dict(runs.skipped) == {f"unreadable: {reason}": 1}
    assert runs.rejected[0][1].startswith("row 3: ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\xff\xfe\x00\x01", "not a text file"),
        (b"id\x00", "not a text file"),
        (HEADER.encode(), "no usable run in 0 rows"),
        (b"id,suite\n1,a\n", "missing columns: year"),
        (f"{HEADER}\n{ROW[:30]}".encode(), "cut off"),
        (f'{HEADER}\n{ROW[:-5]}"hel'.encode(), "not a whole CSV"),
        (f"{HEADER.replace('iter_s', 'other')}\n{ROW}".encode(), "nothing measured"),
        (f"{HEADER.replace('notes', 'mico_batch')}\n{ROW}".encode(), "did you mean micro_batch"),
        (f"{HEADER},tp\n{ROW},8".encode(), "given twice: tp"),
    ],
)
def test_an_unusable_file_is_one_clear_error(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "runs.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_runs(file)


def test_rows_of_a_file_without_a_usable_one_are_named(tmp_path: Path) -> None:
    """Of seven rows the first five, by row and column; 0 s is no step time."""
    rows = [ROW.replace("a-1", f"a-{i}").replace("1.42", "0") for i in range(7)]
    with pytest.raises(InputError, match="no usable run in 7 rows") as caught:
        read_runs(write(tmp_path, HEADER, *rows))
    _, *named, rest = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in named] == [f"  - row {n}" for n in range(2, 7)]
    assert all("column iter_s is '0', but must be a number above 0" in line for line in named)
    assert rest == "  - and 2 more"


def test_what_a_job_measured_around_it(tmp_path: Path) -> None:
    """Columns of their own, that no file needs; bad values are named by row and column."""
    header = HEADER + ",version,allreduce_gb_s,allgather_gb_s,node_allreduce_gb_s"
    ends = (",v0.5,188.5,77,457", ",,-1,77,457", ",,,,", ",,fast,,")
    rows = [ROW.replace("a-1", f"a-{i}") + end for i, end in enumerate(ends)]
    found = read_runs(write(tmp_path, header, *rows))
    first, last = found.rows
    assert (first.version, first.allreduce_gb_s) == ("v0.5", 188.5)
    assert (first.allgather_gb_s, first.node_allreduce_gb_s) == (77, 457)
    assert (last.version, last.allreduce_gb_s, last.node_allreduce_gb_s) == ("", None, None)
    for (reason, where), row in zip(found.rejected, ("row 3", "row 5"), strict=True):
        assert reason == "unreadable: impossible value in allreduce_gb_s"
        assert where.startswith(f"{row}: column allreduce_gb_s is ")


def test_no_such_file_and_no_such_name(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path, "a\0b"):
        with pytest.raises(InputError):
            read_runs(path)


def test_suites_are_chosen_by_name(tmp_path: Path) -> None:
    other = ROW.replace("a-1,a", "b-1,bloom")
    runs = read_runs(write(tmp_path, HEADER, ROW, other))
    assert runs.suites == ("a", "bloom")
    assert [run.id for run in runs.of_suite("bloom").rows] == ["b-1"]
    with pytest.raises(InputError, match="did you mean bloom"):
        runs.of_suite("blom")


def test_the_shipped_runs_are_whole() -> None:
    runs = published_runs()
    assert not runs.rejected
    assert {"mlm21", "korth22", "mlm-sep20", "mlm-jan21"} <= set(runs.suites)
    assert len(runs.rows) == 2625
    assert len(runs.suites) == 20
    assert all(run.ref for run in runs.rows)
    # Narayanan et al. (arXiv:2104.04473), table 1, last row: 1T on 3,072 GPUs, 163 TFLOP/s.
    largest = next(r for r in runs.of_suite("mlm21").rows if r.gpus == 3072)
    assert (largest.tp, largest.pp, largest.tflops_gpu) == (8, 64, 163)
