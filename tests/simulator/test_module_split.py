"""Stages of modules against dealing the modules out one by one."""

import itertools
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plan3d.simulator.context import Context
from plan3d.simulator.estimate import estimate
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.module_split import module_stages, modules_before
from plan3d.simulator.stage_costs import stage_costs
from tests.simulator.jobs import DGX, GPT, PLAIN, WORK

SPLIT = replace(PLAIN, modules_in_split=True)


@given(pp=st.integers(1, 16), more=st.integers(0, 40))
def test_stages_of_modules_are_those_of_dealing_them_out(pp: int, more: int) -> None:
    """Embedding, blocks, norm and head one after another; the first stages have one more."""
    layers = pp + more
    modules = [0.0] + [1.0] * layers + [0.0, 0.0]
    each, left = divmod(len(modules), pp)
    sizes = [each + (i < left) for i in range(pp)]
    starts = np.cumsum([0, *sizes])
    blocks = [sum(modules[a:b]) for a, b in itertools.pairwise(starts)]
    assert np.diff(modules_before(layers, pp, np.arange(pp + 1))).tolist() == blocks
    found = module_stages(float(layers), LayoutTable.of([Layout(pp=pp)]))
    assert found.fullest[0] == max(blocks[:-1] or blocks)
    assert found.last[0] == blocks[-1]
    assert found.fullest[0] - (1 - found.even[0]) == blocks[0]


def test_the_ends_are_modules_by_hand() -> None:
    """40 layers are 43 modules: 22 and 21 on two stages, 11, 11, 11 and 10 on four."""
    found = module_stages(40.0, LayoutTable.of([Layout(), Layout(pp=2), Layout(pp=4)]))
    assert found.fullest.tolist() == [40, 21, 11]
    assert found.last.tolist() == [40, 19, 8]
    assert found.even.tolist() == [1, 1, 0]  # the embedding takes a layer's place of eleven


def test_the_software_divides_so() -> None:
    """12 layers and their ends are 15 modules: 8 and 7 on two stages, so 7 and 5 layers."""
    layout = Layout(pp=2)
    context = Context(model=GPT, work=WORK, cluster=DGX, software=SPLIT)
    kept = stage_costs(context, LayoutTable.of([layout])).activations[:, 0]
    assert kept[0] / kept[1] == 7 / 5
    usual, found = (estimate(GPT, WORK, DGX, s, layout).first_stage for s in (PLAIN, SPLIT))
    assert found.activations_bytes / usual.activations_bytes == 7 / 6
