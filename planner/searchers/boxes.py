"""Black boxes: the closed form, the event simulation, and a recorded sweep."""

from collections.abc import Iterable, Mapping

from plan3d.planner.evaluator import evaluator_of
from plan3d.planner.refine import replayed
from plan3d.planner.result import Job
from plan3d.planner.searchers.protocols import BlackBox, Trial
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.result import EstimateTable


def closed_form(job: Job) -> BlackBox:
    """Return the analytical model of a job's step, one layout at a time."""
    evaluate = evaluator_of(job)

    def box(layout: Layout, /) -> Trial:
        return _trial(layout, evaluate(LayoutTable.of([layout])))

    return box


def event_simulation(job: Job) -> BlackBox:
    """Return the model whose pipelines are played out (`plan3d.planner.refine`)."""
    evaluate = evaluator_of(job)

    def box(layout: Layout, /) -> Trial:
        table = LayoutTable.of([layout])
        return _trial(layout, replayed(job, table, evaluate(table)))

    return box


def by_gpus(boxes: Mapping[int, BlackBox]) -> BlackBox:
    """Return the box that asks, of several by their number of GPUs, the one of a layout's."""

    def box(layout: Layout, /) -> Trial:
        return boxes[layout.gpus](layout)

    return box


def recorded(trials: Iterable[Trial]) -> BlackBox:
    """Return measurements that were made before; of a layout measured twice, the fastest.

    Raises
    ------
    InputError
        When it is asked for a layout that nobody measured.
    """
    known: Mapping[Layout, Trial] = fastest(trials)

    def box(layout: Layout, /) -> Trial:
        if layout not in known:
            raise InputError(f"{layout} was not recorded; search the recorded layouts only")
        return known[layout]

    return box


def fastest(trials: Iterable[Trial]) -> dict[Layout, Trial]:
    """Return the fastest trial of each layout; one that ran comes before one that did not."""
    known: dict[Layout, Trial] = {}
    for trial in trials:
        old = known.get(trial.layout)
        if old is None or (trial.ok and not (old.ok and old.time_s <= trial.time_s)):
            known[trial.layout] = trial
    return known


def _trial(layout: Layout, table: EstimateTable) -> Trial:
    """Return the only row of a table as a trial."""
    memory_bytes = float(table.memory_bytes[0])
    over = memory_bytes - table.capacity_bytes
    if over > 0:
        return Trial(layout=layout, over_bytes=over, memory_bytes=memory_bytes)
    time_s = float(table.step_time_s[0])
    return Trial(layout=layout, time_s=time_s, memory_bytes=memory_bytes)
