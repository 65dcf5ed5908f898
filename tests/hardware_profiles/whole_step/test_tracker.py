"""The counters of bytes against cases that are counted by hand."""

import gc

import pytest

torch = pytest.importorskip("torch")

from plan3d.hardware_profiles.whole_step.saved import saved_bytes  # noqa: E402
from plan3d.hardware_profiles.whole_step.tracker import Tracker  # noqa: E402


def test_a_storage_counts_while_it_lives() -> None:
    with Tracker() as tracker:
        assert tracker.live_bytes == 0
        first = torch.zeros(100)
        assert tracker.live_bytes == 400
        second = torch.zeros(50, dtype=torch.bfloat16)
        assert tracker.live_bytes == 500
        del first
        assert tracker.live_bytes == 100
        del second
        assert (tracker.live_bytes, tracker.peak_bytes) == (0, 500)


def test_views_and_work_in_place_make_no_storage() -> None:
    with Tracker() as tracker:
        whole = torch.zeros(10, 10)
        part, turned = whole[2:4], whole.T
        whole.add_(1)
        assert tracker.live_bytes == 400
        del whole, turned
        assert tracker.live_bytes == 400  # a view keeps all of it
        del part
        assert tracker.live_bytes == 0


def test_the_peak_is_that_since_the_reset() -> None:
    with Tracker() as tracker:
        kept = torch.zeros(25)
        del kept
        tracker.reset()
        assert tracker.peak_bytes == 0
        kept = torch.zeros(10)
        assert tracker.peak_bytes == 40 == kept.nbytes


def test_what_was_there_before_does_not_count_until_it_is_used() -> None:
    before = torch.zeros(8)
    with Tracker() as tracker:
        after = before + 1
        assert tracker.live_bytes == 32
        del after
        again = before.view(2, 4)  # its storage is met here
        assert tracker.live_bytes == 32 == again.nbytes


def test_an_address_that_is_used_again_is_another_storage() -> None:
    with Tracker() as tracker:
        for _ in range(100):
            tensor = torch.zeros(1000)
            assert tracker.live_bytes == 4000
            del tensor
    assert tracker.peak_bytes == 4000


def test_a_backward_pass_by_hand() -> None:
    """x of 40 bytes; exp keeps its result, 40; backward makes two gradients of 40.

    The sum's own result is 4 bytes, and so is the gradient that backward starts with. At the
    peak x, exp's result, the expanded gradient's 4, the sum's 4 and x's gradient live.
    """
    with Tracker() as tracker:
        x = torch.ones(10, requires_grad=True)
        total = x.exp().sum()
        assert tracker.live_bytes == 40 + 40 + 4
        total.backward()
        assert tracker.peak_bytes == 40 + 40 + 4 + 4 + 40
        gc.collect()
        assert tracker.live_bytes == 40 + 4 + 40  # x, the sum, x's gradient


def test_a_product_keeps_both_factors() -> None:
    x, y = (torch.ones(10, requires_grad=True) for _ in range(2))
    assert saved_bytes(lambda: x * y) == 80
    assert saved_bytes(lambda: x * y, leave_out=[y]) == 40
    assert saved_bytes(lambda: x * x) == 40  # a storage counts once
    assert saved_bytes(lambda: x + y) == 0
    assert saved_bytes(lambda: x[:2] * 3.0) == 0  # a number needs no tensor


def test_a_view_counts_as_all_that_it_keeps() -> None:
    x = torch.ones(10, requires_grad=True)
    assert saved_bytes(x[:2].exp) == 8  # a result of its own
    assert saved_bytes(lambda: x[:2] ** 3) == 40


def test_a_checkpoint_counts_as_its_inputs() -> None:
    """Else the first exp keeps its result, which sin keeps as its operand, and the last exp its."""
    from torch.utils.checkpoint import checkpoint  # noqa: PLC0415

    x = torch.ones(10, requires_grad=True)

    def part(x: object) -> object:
        return x.exp().sin().exp()  # type: ignore[attr-defined]

    assert saved_bytes(lambda: part(x)) == 80
    assert saved_bytes(lambda: checkpoint(part, x, use_reentrant=False)) == 40
