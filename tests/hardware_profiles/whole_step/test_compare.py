"""Comparing, by hand; and what the prediction of a step is made of."""

from dataclasses import replace

import pytest

from plan3d import hardware_profiles
from plan3d.hardware_profiles.whole_step import grid
from plan3d.hardware_profiles.whole_step.compare import (
    Comparison,
    Errors,
    Pair,
    Predicted,
    predict,
)
from plan3d.hardware_profiles.whole_step.measured import Measured
from plan3d.simulator.estimate import estimate
from plan3d.simulator.layout import Recompute
from plan3d.simulator.parameters import total_params
from plan3d.simulator.workload import Workload

H100 = hardware_profiles.load("dgx-h100")
PREDICTED = Predicted(
    step_s=1.0, forward_s=0.3, backward_s=0.6, update_s=0.1,
    peak_bytes=40e9, reserved_bytes=44e9, total_bytes=45e9, capacity_bytes=80e9,
)  # fmt: skip
OUT = Measured(out_of_memory=True)


def pair(step_s: float, peak_bytes: float) -> Pair:
    measured = Measured(
        step_s=step_s, forward_s=0.3, backward_s=0.5, update_s=0.1,
        peak_bytes=peak_bytes, reserved_bytes=44e9,
    )  # fmt: skip
    return Pair(case=grid.GPU[0], predicted=PREDICTED, measured=measured)


def compared(*pairs: Pair, tolerance: float = 0.12) -> Comparison:
    return Comparison(device="some GPU", cluster="c", digest="d", tolerance=tolerance, pairs=pairs)


def test_an_error_is_predicted_over_measured_less_one() -> None:
    found = pair(step_s=0.8, peak_bytes=50e9)
    assert found.error("step_s") == pytest.approx(0.25)
    assert found.error("forward_s") == 0
    assert found.error("backward_s") == pytest.approx(0.2)
    assert found.error("peak_bytes") == pytest.approx(-0.2)
    assert replace(found, measured=OUT).error("step_s") is None


def test_errors_are_summed_up_by_magnitude() -> None:
    """Magnitudes 0.1, 0.2, 0.3, 0.4, 1: nine tenths of the way is 0.4 + 0.6 (1 - 0.4)."""
    found = Errors.of([-0.2, 0.1, 0.4, -0.3, 1.0])
    assert (found.n, found.median, found.bias) == (5, 0.3, 0.1)
    assert found.p90 == pytest.approx(0.76)


def test_the_medians_of_step_and_peak_memory_decide() -> None:
    near, slow, large = pair(1.0, 40e9), pair(0.5, 40e9), pair(1.0, 20e9)
    assert compared(near, near, slow).passed
    assert not compared(near, slow, slow).passed
    assert compared(near, near, large).passed
    assert not compared(near, large, large).passed
    assert compared(near, slow, slow, tolerance=1.0).passed
    assert not compared(pair(1 / 1.2, 40e9), tolerance=0.19).passed
    assert compared(pair(1 / 1.2, 40e9), tolerance=0.21).passed


def test_other_quantities_are_shown_but_do_not_decide() -> None:
    found = compared(pair(1.0, 40e9), tolerance=0.12)
    assert found.errors["backward_s"].median == pytest.approx(0.2)
    assert found.passed


def test_where_no_time_is_measured_memory_decides() -> None:
    memory = Pair(
        case=grid.CPU[0], predicted=PREDICTED, measured=Measured(peak_bytes=PREDICTED.peak_bytes)
    )
    assert compared(memory).passed
    assert set(compared(memory).errors) == {"peak_bytes"}
    wrong = replace(memory, measured=Measured(peak_bytes=PREDICTED.peak_bytes / 2))
    assert not compared(wrong).passed


def test_out_of_memory_is_held_against_what_was_predicted_to_fit() -> None:
    """45 GB of 80 GB are predicted; a tolerance of 80 % would excuse that it did not fit."""
    near, fits = pair(1.0, 40e9), Pair(case=grid.GPU[0], predicted=PREDICTED, measured=OUT)
    assert not compared(near, fits).passed
    assert compared(near, fits, tolerance=0.8).passed
    foreseen = replace(fits, predicted=replace(PREDICTED, total_bytes=81e9))
    assert not foreseen.predicted.fits
    assert compared(near, foreseen).passed
    found = compared(near, fits, foreseen).to_json()["out_of_memory"]
    assert found == {"ran_out": 2, "predicted_not_to_fit": 1, "misjudged": 1}


def test_nothing_measured_is_no_success() -> None:
    assert not compared().passed
    foreseen = replace(PREDICTED, total_bytes=81e9)
    assert not compared(Pair(case=grid.GPU[0], predicted=foreseen, measured=OUT)).passed


@pytest.mark.parametrize("case", grid.GPU[::5], ids=str)
def test_the_parts_of_a_predicted_step_are_the_step(case: grid.Case) -> None:
    """Without a fixed cost: forward, backward and update, and nothing else on one GPU."""
    found = predict(case, H100)
    parts = found.forward_s + found.backward_s + found.update_s
    assert found.step_s == pytest.approx(parts)
    assert found.forward_s < found.backward_s  # twice the matrix products
    assert min(found.forward_s, found.update_s) > 0
    assert found.peak_bytes < found.reserved_bytes < found.total_bytes


def test_replaying_everything_is_part_of_the_backward_pass() -> None:
    """A forward pass of the blocks again, so less than a whole forward pass."""
    case = replace(grid.GPU[0], recompute=Recompute.NONE)
    none, full = (
        predict(replace(case, recompute=r), H100) for r in (Recompute.NONE, Recompute.FULL)
    )
    assert full.forward_s == none.forward_s
    assert 0 < full.backward_s - none.backward_s < none.forward_s


def test_it_is_the_estimate_of_one_gpu() -> None:
    case = grid.GPU[-5]
    work = Workload(seq=case.seq, global_batch=case.micro_batch)
    software = hardware_profiles.software(grid.SOFTWARE[case.style])
    whole = estimate(case.model, work, H100, software, case.layout)
    found = predict(case, H100)
    assert (found.step_s, found.total_bytes) == (whole.step_time_s, whole.memory_bytes)
    assert whole.memory.buckets_bytes == whole.time.dp_comm_s == 0
    states = whole.memory.parameters_bytes + whole.memory.optimizer_bytes
    assert states + whole.memory.gradients_bytes == 16 * total_params(case.model)


def test_where_there_is_no_bfloat16_the_other_16_bit_type_is_trained() -> None:
    """V100, whose data sheet has none: as if its peak were that of float16."""
    v100 = hardware_profiles.compose(gpu="v100-32g")
    gpu = replace(v100.gpu, peaks=replace(v100.gpu.peaks, bf16=v100.gpu.peaks.fp16))
    case = grid.GPU[0]
    assert predict(case, v100) == predict(case, replace(v100, gpu=gpu))


def test_the_grid_is_of_the_sizes_that_it_says() -> None:
    assert 24 <= len(grid.GPU) <= 40
    assert len(set(grid.GPU)) == len(grid.GPU)
    sizes = {total_params(case.model) / 1e9 for case in grid.GPU}
    assert 0.1 < min(sizes) < 0.13
    assert 2.0 < max(sizes) < 2.2
    for cases in (grid.GPU, grid.CPU):
        assert {case.style for case in cases} == set(grid.STYLES)
        assert {case.recompute for case in cases} == set(Recompute) - {Recompute.BLOCK}


def test_all_but_the_largest_are_predicted_to_fit_in_80_gb() -> None:
    fits = {case: predict(case, H100).fits for case in grid.GPU}
    assert {case for case, fit in fits.items() if not fit} == set(grid.TOO_LARGE)
    largest = hardware_profiles.load("dgx-b200")
    assert not any(predict(case, largest).fits for case in grid.TOO_LARGE)
