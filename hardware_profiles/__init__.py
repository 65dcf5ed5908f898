"""Clusters and software generations by name: data files, every number with unit, mark and source.

The folders beside this file hold one TOML file each: ``gpus``, ``fabrics`` (inside a node),
``networks`` (between nodes), ``clusters`` (one of each) and ``software``. To add one, drop a file.
"""

from plan3d.hardware_profiles.generations import describe_software, software, software_names
from plan3d.hardware_profiles.loader import (
    compose,
    describe,
    load,
    load_path,
    names,
    usual,
    usual_cluster,
)
from plan3d.hardware_profiles.parts import part_names

__all__ = [
    "compose",
    "describe",
    "describe_software",
    "load",
    "load_path",
    "names",
    "part_names",
    "software",
    "software_names",
    "usual",
    "usual_cluster",
]
