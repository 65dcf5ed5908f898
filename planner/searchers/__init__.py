"""Searchers for when one evaluation is expensive: an event simulation, a run on a cluster.

Where an evaluation takes a microsecond, `plan3d.planner.exhaustive` looks at everything instead.
"""
