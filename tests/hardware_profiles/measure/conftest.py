"""A CPU opened once, and one thread of torch: other work on the machine disturbs two more."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from plan3d.hardware_profiles.measure import open_device

if TYPE_CHECKING:
    from plan3d.hardware_profiles.measure.device import Device


@pytest.fixture(scope="session")
def cpu() -> "Iterator[Device]":
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    with open_device("cpu") as device:
        yield device
