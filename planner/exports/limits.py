"""What several frameworks have no words for."""

from dataclasses import replace
from typing import Final

from plan3d.planner.exports.planned import Limit, Planned
from plan3d.simulator.layout import Order

TP_OVERLAP: Final = Limit(
    says="tp_overlap=0: tensor-parallel communication overlaps as far as it does by itself",
    applies=lambda plan: plan.layout.tp > 1 and not plan.layout.tp_overlap,
    then=lambda plan: replace(plan.layout, tp_overlap=1),
)
DP_OVERLAP: Final = Limit(
    says="dp_overlap=0: the exchange of gradients overlaps as far as it does by itself",
    applies=lambda plan: plan.layout.dp * plan.layout.cp > 1 and not plan.layout.dp_overlap,
    then=lambda plan: replace(plan.layout, dp_overlap=1),
)
PP_OVERLAP: Final = Limit(
    says="pp_overlap=0: pipeline transfers overlap as far as they do by themselves",
    applies=lambda plan: plan.layout.pp > 1 and not plan.layout.pp_overlap,
    then=lambda plan: replace(plan.layout, pp_overlap=1),
)
ORDER: Final = Limit(
    says="order=tp-cp-ep-pp-dp: ranks are placed in the framework's own order",
    applies=lambda plan: plan.layout.order != Order.TP_CP_EP_DP_PP,
    then=lambda plan: replace(plan.layout, order=Order.TP_CP_EP_DP_PP),
)
STAGES: Final = Limit(
    says="uneven stages: layers are split in the framework's own way",
    applies=lambda plan: len(set(plan.stages)) > 1,
)
NO_OFFLOAD: Final = Limit(
    says="offload: optimizer states stay on the GPU; use offload=0",
    applies=lambda plan: plan.layout.offload > 0,
    refused=True,
)
PURE: Final = Limit(
    says="precision bf16-pure: optimizer states are kept in fp32",
    applies=lambda plan: plan.job.work.precision.name == "bf16-pure",
)


def optimizer(*names: str) -> Limit:
    """Return the limit of a framework with some optimizers only."""
    return Limit(
        says=f"another optimizer than {', '.join(names)}: name it yourself",
        applies=lambda plan: plan.job.work.optimizer.name not in names,
    )


def precision(*names: str) -> Limit:
    """Return the limit of a framework with some precisions only."""
    return Limit(
        says=f"precisions other than {', '.join(names)}: use --precision {names[0]}",
        applies=lambda plan: plan.job.work.precision.name not in names,
        refused=True,
    )


def _unusual(plan: Planned) -> bool:
    model = plan.job.model
    return (
        model.positions == "alibi"
        or model.parallel_residual
        or model.embedding_norm
        or model.embedding_dim > 0
        or model.norms_per_layer != 2
        or not model.final_norm
        or model.norm in ("layernorm-no-bias", "layernorm-no-params")
    )


UNUSUAL: Final = Limit(
    says="ALiBi, parallel residual, other numbers or kinds of norms, narrow embeddings: the shape "
    "is that of the nearest block that it has",
    applies=_unusual,
)
MOE: Final = Limit(
    says="mixture of experts: set the experts of the model yourself",
    applies=lambda plan: plan.job.model.experts is not None,
)
LATENT: Final = Limit(
    says="multi-head latent attention: set it yourself",
    applies=lambda plan: plan.job.model.latent is not None,
)
WINDOW: Final = Limit(
    says="sliding attention window",
    applies=lambda plan: plan.job.model.window > 0,
)
