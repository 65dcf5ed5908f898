"""Measures kernels of this machine with torch: the points that a GPU's constants are fitted to.

`shapes` says what to measure, `open_device` opens a GPU, `measure` writes the points. Importing
this package does not import torch; opening a device does.
"""

from plan3d.hardware_profiles.measure.opening import open_device
from plan3d.hardware_profiles.measure.plan import shapes
from plan3d.hardware_profiles.measure.session import Progress, measure

__all__ = ["Progress", "measure", "open_device", "shapes"]
