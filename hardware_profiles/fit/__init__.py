"""From measured points to the constants of a profile."""

from plan3d.hardware_profiles.fit.calibration import GROUPS, Calibration, calibrate, choose
from plan3d.hardware_profiles.fit.constants import Fitted
from plan3d.hardware_profiles.fit.law import LawFit
from plan3d.hardware_profiles.fit.profile import changes_toml, overlay_toml, profile_toml
from plan3d.hardware_profiles.fit.rates import best_rates
from plan3d.hardware_profiles.fit.robust import Errors

__all__ = [
    "GROUPS",
    "Calibration",
    "Errors",
    "Fitted",
    "LawFit",
    "best_rates",
    "calibrate",
    "changes_toml",
    "choose",
    "overlay_toml",
    "profile_toml",
]
