"""A layout in plan3d's own words, for a launch script that reads them: ``--tp 8 --pp 4``."""

from plan3d.planner.constraints import WORDS
from plan3d.planner.exports.arguments import Arguments
from plan3d.planner.result import Job
from plan3d.simulator.layout import FIELDS, Layout


def layout_arguments(job: Job, layout: Layout) -> Arguments:
    """Return every field of a layout, and the batch."""
    given = {name: getattr(layout, name) for name in FIELDS}
    for axis, words in WORDS.items():
        given[axis] = next(word for word, value in words.items() if value == given[axis])
    batch = {"global-batch": job.work.global_batch}
    return {name.replace("_", "-"): value for name, value in given.items()} | batch


def model_arguments(job: Job) -> Arguments:
    """Return the shape of the model, and its sequence."""
    model, work = job.model, job.work
    given = {"layers": model.layers, "hidden": model.hidden, "heads": model.heads}
    more = {"kv-heads": model.kv_heads, "head-dim": model.head_dim, "ffn": model.ffn}
    return given | more | {"vocab": model.vocab, "seq": work.seq}
