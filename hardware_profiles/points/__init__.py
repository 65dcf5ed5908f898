"""Measured kernel times: what was run, how long it took, and the files that hold both."""

from plan3d.hardware_profiles.points.file import PointsFile, append, read_points, start
from plan3d.hardware_profiles.points.point import KINDS, OK, Point, Shape

__all__ = ["KINDS", "OK", "Point", "PointsFile", "Shape", "append", "read_points", "start"]
