"""What each framework can run, as data: a search is restricted to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from plan3d.simulator.errors import unknown
from plan3d.simulator.layout import Layout, Recompute, Schedule
from plan3d.simulator.legality import Reason

RING, ALL_TO_ALL = 0, 1
"""Values of `Layout.cp_all_to_all`."""

OVERLAPS: Final = ("tp_overlap", "dp_overlap", "pp_overlap")
"""Axes of `Layout` for communication that can overlap."""

NOTHING: Final = Reason(0)
"""No rule is waived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """What one framework can run."""

    name: str
    software: str
    """The generation of it that is estimated, unless another is named."""
    zero: tuple[int, ...] = (0, 1, 2, 3)
    """ZeRO stages of a job with more than one replica."""
    schedules: tuple[Schedule, ...] = tuple(Schedule)
    only_with_chunks: tuple[Schedule, ...] = ()
    """Schedules that it runs with vpp > 1 alone."""
    context: tuple[int, ...] = (RING, ALL_TO_ALL)
    """Kinds of context parallelism."""
    context_alone: bool = False
    """Context parallelism excludes tensor and pipeline parallelism."""
    recompute: tuple[Recompute, ...] = tuple(Recompute)
    hybrid: bool = True
    """ZeRO may shard over part of the replicas."""
    shards_context: bool = False
    """ZeRO shards over all ranks of a context-parallel group, and more."""
    expert_tp: bool = True
    """Experts may have their own tensor parallelism."""
    etp_is_tp: bool = False
    """Experts have the tensor parallelism of the rest unless told otherwise."""
    overlaps: tuple[str, ...] = OVERLAPS
    """Communication that it can overlap. A search never turns that off: it only helps."""
    tolerates: Reason = NOTHING
    """Rules of `plan3d.simulator.legality` that do not hold for it."""
    caveat: str = ""
    """What an estimate takes for granted that published jobs did not always have."""


FRAMEWORKS: Final[Mapping[str, Framework]] = {
    f.name: f
    for f in (
        # The union of the others.
        Framework(
            name="any",
            software="megatron-core",
            tolerates=Reason.UNEVEN | Reason.ZERO_PIPELINE | Reason.EXPERT_SEQUENCE,
        ),
        # Megatron-LM, megatron/training/arguments.py: --use-distributed-optimizer is ZeRO-1,
        # --data-parallel-sharding-strategy optim_grads and optim_grads_params (Megatron-FSDP)
        # are 2 and 3; --num-distributed-optimizer-instances is hybrid sharding;
        # --cp-comm-type p2p and a2a. GPipe is not among its schedules.
        Framework(
            name="megatron",
            software="megatron-core",
            schedules=(Schedule.ONE_F_ONE_B, Schedule.INTERLEAVED),
            etp_is_tp=True,
            # --decoder-first-pipeline-num-layers, --pipeline-model-parallel-layout
            tolerates=Reason.UNEVEN,
        ),
        # NeMo 2.0, nemo/lightning/pytorch/strategies/megatron_strategy.py: Megatron-Core
        # without FSDP.
        Framework(
            name="nemo",
            software="nemo-2024",
            zero=(0, 1),
            schedules=(Schedule.ONE_F_ONE_B, Schedule.INTERLEAVED),
            etp_is_tp=True,
            tolerates=Reason.UNEVEN,
        ),
        # torchtitan/config and models/llama3/infra/parallelize.py: FSDP2 is ZeRO-3, with
        # reshard_after_forward="never" ZeRO-2 ("default" is that with a pipeline); it shards over
        # dp_shard * cp (distributed/parallel_dims.py). DDP only without any other parallelism, so
        # that it is left out. Stages differ by at most a layer.
        Framework(
            name="torchtitan",
            software="fsdp2-2026",
            zero=(2, 3),
            # torch.distributed.pipelining; InterleavedZeroBubble is zb_h1 with chunks.
            schedules=(
                Schedule.GPIPE,
                Schedule.ONE_F_ONE_B,
                Schedule.INTERLEAVED,
                Schedule.LOOPED_BFS,
                Schedule.ZB_H1,
                Schedule.ZB_V,
                Schedule.DUALPIPE_V,
            ),
            only_with_chunks=(Schedule.ZB_H1,),
            context=(RING,),
            recompute=(Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL),
            shards_context=True,
            expert_tp=False,
            tolerates=Reason.UNEVEN | Reason.ZERO_PIPELINE | Reason.EXPERT_SEQUENCE,
        ),
        # DeepSpeed, runtime/pipe/engine.py and schedule.py (TrainSchedule is 1F1B); sequence
        # parallelism is Ulysses (arXiv:2309.14509); Megatron-DeepSpeed for tp.
        Framework(
            name="deepspeed",
            software="megatron-deepspeed-2022",
            # --enable-zbh1-pipeline, Megatron-DeepSpeed megatron/arguments.py
            schedules=(Schedule.ONE_F_ONE_B, Schedule.ZB_H1),
            context=(ALL_TO_ALL,),
            # its sequence parallelism excludes tensor and pipeline parallelism: Megatron-DeepSpeed
            # megatron/core/parallel_state.py
            context_alone=True,
            recompute=(Recompute.NONE, Recompute.FULL),
            # ZeRO shards over all replicas; MiCS, which is for ZeRO-3 alone, is left out.
            hybrid=False,
            overlaps=("dp_overlap",),
            tolerates=Reason.EXPERT_SEQUENCE,
        ),
        # nanotron, src/nanotron/config: pp_engine 1f1b or afab, zero_stage 0 or 1,
        # recompute_layer, tp_linear_async_communication; context_parallel_size is read, but no
        # model implements it (issue 383 there).
        Framework(
            name="nanotron",
            software="nanotron-2024",
            zero=(0, 1),
            schedules=(Schedule.GPIPE, Schedule.ONE_F_ONE_B),
            context=(),
            recompute=(Recompute.NONE, Recompute.FULL),
            hybrid=False,
            expert_tp=False,
            tolerates=Reason.UNEVEN | Reason.EXPERT_SEQUENCE,
            caveat="nanotron with hosts that keep up and pipelines of after early 2025: of 975 "
            "published jobs on several nodes 731 were slower (docs/accuracy.md)",
        ),
    )
}
"""Frameworks by name."""

ANY: Final = FRAMEWORKS["any"]
DEFAULT: Final = "megatron"
"""Whose layouts are looked for unless another is named: one framework, so that the constants and
the layouts belong together."""


def named(name: str) -> Framework:
    """Return a framework by name."""
    if name not in FRAMEWORKS:
        raise unknown("framework", name, FRAMEWORKS)
    return FRAMEWORKS[name]


def lacking(framework: Framework, layout: Layout) -> tuple[str, ...]:
    """Return what a layout asks of a framework that it does not have, a sentence each."""
    replicas = layout.dp * layout.cp
    asked = (
        (replicas > 1 and layout.zero not in framework.zero, f"ZeRO stage {layout.zero}"),
        (layout.pp > 1 and layout.schedule not in framework.schedules,
         f"schedule {layout.schedule.name.lower()}"),
        (layout.vpp == 1 and layout.schedule in framework.only_with_chunks,
         f"schedule {layout.schedule.name.lower()} with vpp=1"),
        (layout.cp > 1 and layout.cp_all_to_all not in framework.context,
         "context parallelism of this kind"),
        (layout.cp > 1 and framework.context_alone and layout.tp * layout.pp > 1,
         "context parallelism beside tensor or pipeline parallelism"),
        (layout.recompute not in framework.recompute,
         f"recompute={layout.recompute.name.lower()}"),
        (layout.zero > 0 and layout.shard < replicas and not framework.hybrid,
         "hybrid sharding (shard < dp * cp)"),
        (layout.zero > 0 and layout.shard % layout.cp > 0 and framework.shards_context,
         "shard that cp does not divide: it shards over all context-parallel ranks"),
        (layout.etp > 1 and not framework.expert_tp, "tensor parallelism of the experts alone"),
    )  # fmt: skip
    return tuple(f"{framework.name} has no {what}" for missing, what in asked if missing)
