"""What every stage of one layout's pipeline holds at its peak: `memory`, stage by stage."""

from dataclasses import fields
from functools import partial
from typing import Final

import numpy as np

from plan3d.simulator.context import Context
from plan3d.simulator.estimate import block_costs, layers_of_stages
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.memory import MemoryTerms, Place, place_params, stage_terms
from plan3d.simulator.model_states import stage_state
from plan3d.simulator.numeric import Floats
from plan3d.simulator.pipeline import one_rank_has_both_ends
from plan3d.simulator.result import Memory

ALONE: Final = Place(first=True, last=True)
FIRST: Final = Place(first=True, last=False)
MIDDLE: Final = Place(first=False, last=False)
LAST: Final = Place(first=False, last=True)


def stage_memory(context: Context, layout: Layout) -> tuple[Memory, ...]:
    """Return what each stage of a layout holds, the first one first.

    Stages between the ends are taken to be as full of layers as any of them. The fullest of all is
    the memory of `estimate`.
    """
    stage = np.arange(layout.pp, dtype=np.float64)
    table = LayoutTable.of([layout] * layout.pp)  # a row is a stage
    terms = partial(_terms, context, table, stage)
    folded, first = one_rank_has_both_ends(table), stage == 0
    found = terms(LAST).where(~folded & (stage == layout.pp - 1), terms(MIDDLE))
    found = terms(FIRST).where(~folded & first, found)
    found = terms(ALONE).where(folded & first, found)
    names = [field.name for field in fields(Memory)]
    return tuple(
        Memory(**{name: float(found.terms[name][i]) for name in names}) for i in range(layout.pp)
    )


def _terms(context: Context, table: LayoutTable, stage: Floats, place: Place) -> MemoryTerms:
    """Return the terms of every stage, as if it were of the kind of `place`."""
    stages = layers_of_stages(context, table)
    state = stage_state(context, table, place_params(context, table, stages, place))
    micro_batches = context.work.global_batch / (table.dp * table.micro_batch)
    _, kept, logits = block_costs(context, table)
    return stage_terms(
        context, table, kept, logits, state, stages, micro_batches, place, stage
    )  # fmt: skip
