"""How sure an estimate is: intervals, the chance to run out of memory, the chance to be best.

All of it is learnt from the residuals of published runs (`fit`), kept in ``intervals.toml`` and
read when first needed (`calibration.shipped`).
"""

from plan3d.planner.uncertainty.calibration import Calibration, read, shipped
from plan3d.planner.uncertainty.conformal import Band
from plan3d.planner.uncertainty.outlook import Forecast, Outlooks, outlooks

__all__ = [
    "Band",
    "Calibration",
    "Forecast",
    "Outlooks",
    "outlooks",
    "read",
    "shipped",
]
