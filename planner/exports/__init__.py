"""Layouts in the words of the frameworks: launch flags and configuration files."""

from plan3d.planner.exports.export import EXPORTERS as EXPORTERS
from plan3d.planner.exports.export import export as export
from plan3d.planner.exports.launch import flags as flags
from plan3d.planner.exports.launch import model_flags as model_flags
from plan3d.planner.exports.planned import Export as Export
from plan3d.planner.exports.planned import Planned as Planned
