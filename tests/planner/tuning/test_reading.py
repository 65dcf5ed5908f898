import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import plan3d
from plan3d.planner.result import Job
from plan3d.planner.tuning import PATTERNS, Reader, pattern_of
from plan3d.simulator.errors import InputError

MEGATRON = " [2026-01-01] iteration 7/ 10 | elapsed time per iteration (ms): {} | loss: 2.5 |"


def reader(job: Job, framework: str, **changes: object) -> Reader:
    return Reader(job=job, pattern=pattern_of(PATTERNS[framework]), **changes)  # type: ignore[arg-type]


def test_megatron_prints_milliseconds(job: Job) -> None:
    assert reader(job, "megatron").steps_s([MEGATRON.format("1234.5"), "other"]) == (1.2345,)


def test_torchtitan_prints_tokens_per_second_and_gpu(job: Job) -> None:
    # 64 sequences of 8,192 tokens on 16 GPUs at 4,096 tokens/s each: 8 s, whatever the colours
    line = (
        "\x1b[31mstep: 10\x1b[0m  loss: 8.1  memory: 20GiB(25%)  \x1b[34mtps: 4,096\x1b[0m  mfu: 9"
    )
    assert reader(job, "torchtitan").steps_s([line]) == (8.0,)


def test_nanotron_shortens_thousands(job: Job) -> None:
    line = "iteration: 3 / 10 | consumed_tokens: 1M | time_per_iteration_ms: 2.5K | lm_loss: 9"
    assert reader(job, "nanotron").steps_s([line]) == (2.5,)


def test_nemo_prints_seconds(job: Job) -> None:
    assert reader(job, "nemo").steps_s(["| train_step_timing in s: 7.25 |"]) == (7.25,)


def test_a_line_of_json_needs_no_pattern(job: Job) -> None:
    lines = [
        '{"step_time_s": 1.5}',
        '{"step_time_ms": 250, "x": 1}',
        '{"loss": 1}',
        "{broken",
        "[]",
    ]
    assert Reader(job=job).steps_s(lines) == (1.5, 0.25)


def test_with_json_lines_off_only_the_pattern_counts(job: Job) -> None:
    found = Reader(job=job, pattern=pattern_of(r"took ([\d.]+)"), json_lines=False)
    assert found.steps_s(['{"step_time_s": 1.5}', "took 3"]) == (3.0,)


@pytest.mark.parametrize("text", ["nan", "inf", "0", "0.0", "-1", "soon", "", "1.2.3"])
def test_what_is_no_time_does_not_count(job: Job, text: str) -> None:
    assert Reader(job=job, pattern=pattern_of(r"took (\S*)")).steps_s([f"took {text}"]) == ()
    assert Reader(job=job).steps_s(['{"step_time_s": true}', '{"step_time_s": NaN}']) == ()


def test_the_median_counts_after_the_warm_up(job: Job) -> None:
    assert Reader(job=job, warm_up=2).step_time_s([50.0, 9.0, 1.0, 3.0, 2.0]) == 2.0


def test_a_single_step_counts_even_so(job: Job) -> None:
    assert Reader(job=job, warm_up=2).step_time_s([50.0]) == 50.0
    assert math.isnan(Reader(job=job).step_time_s([]))


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=20), st.integers(0, 30))
def test_the_step_time_is_between_the_steps(steps: list[float], warm_up: int) -> None:
    found = Reader(job=plan3d.job("llama-3-8b", 8), warm_up=warm_up).step_time_s(steps)
    assert min(steps) <= found <= max(steps)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(", "no regular expression"),
        ("time", "exactly one group"),
        ("(a)(b)", "exactly one group"),
        ("(?P<hours>.)", "exactly one group"),
    ],
)
def test_a_useless_pattern_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pattern_of(text)
