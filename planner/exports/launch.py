"""Launch flags of a layout, in the words of a framework."""

from collections.abc import Callable, Mapping
from typing import Final

from plan3d.planner.exports import deepspeed, generic, megatron, torchtitan
from plan3d.planner.exports.arguments import Arguments, assignments, words
from plan3d.planner.result import Job
from plan3d.simulator.errors import unknown
from plan3d.simulator.layout import Layout

Flags = tuple[str, ...]

_LAYOUT: Final[Mapping[str, Callable[[Job, Layout], Arguments]]] = {
    "megatron": megatron.layout_arguments,
    "nemo": generic.layout_arguments,
    "deepspeed": deepspeed.layout_arguments,
    "torchtitan": lambda job, layout: torchtitan.flat(torchtitan.sections(job, layout)),
    "nanotron": generic.layout_arguments,
    "any": generic.layout_arguments,
}
"""Names of `plan3d.planner.frameworks` -> options. NeMo and nanotron take no flags: a wrapper of
the user's gets plan3d's own."""

_MODEL: Final[Mapping[str, Callable[[Job], Arguments]]] = {
    "megatron": megatron.model_arguments,
    "deepspeed": deepspeed.model_arguments,
    "torchtitan": lambda _: {},  # a flavour by name
}


def flags(framework: str, job: Job, layout: Layout) -> Flags:
    """Return the flags for a layout and the batch, as words of a command line.

    Raises
    ------
    InputError
        If the framework is not known.

    Examples
    --------
    >>> from plan3d.cli.inputs import job
    >>> flags("any", job("llama-3-8b", 8), Layout(tp=2, dp=4))[:6]
    ('--tp', '2', '--pp', '1', '--dp', '4')
    """
    if framework not in _LAYOUT:
        raise unknown("framework", framework, _LAYOUT)
    spell = assignments if framework == "torchtitan" else words
    return spell(_LAYOUT[framework](job, layout))


def model_flags(framework: str, job: Job) -> Flags:
    """Return the flags for the shape of the model and its sequence, as words of a command line."""
    if framework not in _LAYOUT:
        raise unknown("framework", framework, _LAYOUT)
    return words(_MODEL.get(framework, generic.model_arguments)(job))
