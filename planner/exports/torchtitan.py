"""Options of torchtitan, by section: ``parallelism``, ``training``, ``activation_checkpoint``."""

from collections.abc import Mapping
from typing import Final

from plan3d.planner.exports.arguments import Arguments, Value
from plan3d.planner.result import Job
from plan3d.simulator.layout import Layout, Recompute, Schedule
from plan3d.simulator.pipeline import counts_ends

SCHEDULES: Final[Mapping[Schedule, str]] = {
    Schedule.GPIPE: "GPipe",
    Schedule.ONE_F_ONE_B: "1F1B",
    Schedule.INTERLEAVED: "Interleaved1F1B",
    Schedule.LOOPED_BFS: "LoopedBFS",
    Schedule.ZB_H1: "InterleavedZeroBubble",
    Schedule.ZB_V: "ZBVZeroBubble",
    Schedule.DUALPIPE_V: "DualPipeV",
}
"""Values of ``parallelism.pipeline_parallel_schedule``: classes of torch.distributed.pipelining."""

RESHARD: Final = {2: "never", 3: "always"}
"""Values of ``parallelism.fsdp_reshard_after_forward``, by ZeRO stage."""

Sections = Mapping[str, Arguments]
"""Section -> option -> value."""


def sections(job: Job, layout: Layout) -> Sections:
    """Return the options that a layout, the batch and the sequence ask for."""
    micro_batches = job.work.global_batch // (layout.dp * layout.micro_batch)
    piped = layout.pp > 1
    return {
        "training": {
            # with a pipeline a step is one local batch; without, micro-batches are accumulated
            "local_batch_size": layout.micro_batch * (micro_batches if piped else 1),
            "global_batch_size": job.work.global_batch,
            "seq_len": job.work.seq,
            **({"enable_cpu_offload": True} if layout.offload else {}),
        },
        "parallelism": {
            **_sharding(layout),
            "tensor_parallel_degree": layout.tp,
            "context_parallel_degree": layout.cp,
            "expert_parallel_degree": layout.ep,
            **(_pipeline(job.model.layers, layout) if piped else {}),
        },
        "activation_checkpoint": {"mode": Recompute(layout.recompute).name.lower()},
    }


def flat(found: Sections) -> Arguments:
    """Return options by ``section.name``."""
    return {f"{section}.{k}": v for section, given in found.items() for k, v in given.items()}


def _sharding(layout: Layout) -> Arguments:
    """Return how the replicas share states: FSDP shards over ``shard`` and context ranks."""
    shard = max(1, layout.shard // layout.cp)
    given: dict[str, Value] = {
        "data_parallel_replicate_degree": layout.dp // shard,
        "data_parallel_shard_degree": shard,
    }
    if layout.zero in RESHARD:
        given["fsdp_reshard_after_forward"] = RESHARD[layout.zero]
    return given


def _pipeline(layers: int, layout: Layout) -> Arguments:
    """Return how the layers are cut and when they run."""
    less = int(counts_ends(layers, layout.pp, layout.vpp))
    given: dict[str, Value] = {
        "pipeline_parallel_degree": layout.pp,
        "pipeline_parallel_schedule": SCHEDULES[layout.schedule],
        "pipeline_parallel_microbatch_size": layout.micro_batch,
        "pipeline_parallel_first_stage_less_layers": less,
        "pipeline_parallel_last_stage_less_layers": less,
    }
    if layout.vpp > 1:
        given["pipeline_parallel_layers_per_stage"] = -(
            -(layers + 2 * less) // (layout.pp * layout.vpp)
        )
    return given
