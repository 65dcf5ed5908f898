"""Layouts in the words of the frameworks: launch flags and configuration files."""

from plan3d.planner.exports.launch import flags as flags
from plan3d.planner.exports.launch import model_flags as model_flags
