"""The axes that vary a plan: context parallelism, sequence parallelism, experts, ZeRO, recompute.

Layouts that would run alike have one canonical form: a single stage is 1F1B, a single replica is
zero=0, block recomputation of no layer is none and of all of them full. Overlap, offload and rank
order do not multiply the space: they have their defaults unless they are fixed.
"""

from typing import Final

import numpy as np

from plan3d.planner.constraints import Constraint, allowed, fixed
from plan3d.planner.frameworks import RING, Framework
from plan3d.planner.result import Job
from plan3d.simulator.layout import LayoutTable, Recompute, Schedule
from plan3d.simulator.legality import Reason, reasons
from plan3d.simulator.numeric import Bools, Floats
from plan3d.simulator.pipeline import stage_layers

ABSENT: Final = -1.0
"""Stands in a matrix of choices where a row has fewer than others."""
