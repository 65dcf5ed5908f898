"""FSDP2 of PyTorch itself: a Python function that wraps a model, without any framework."""

from collections.abc import Sequence
from typing import Final

from plan3d.planner.exports import limits
from plan3d.planner.exports.planned import Exporter, Limit, Planned, comment
from plan3d.simulator.layout import Recompute

TEMPLATE: Final = '''\
import torch
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import {imports}

{constants}


def parallelize(model, blocks, device="cuda"):
    """Wrap a model in place: blocks is the nn.ModuleList of its layers."""
    mesh = init_device_mesh(device, (REPLICATE, SHARD), mesh_dim_names=("replicate", "shard"))
    options = {options}
    if RECOMPUTE:
        for name, block in list(blocks.named_children()):
            blocks.register_module(name, checkpoint_wrapper(block))
    for block in blocks.children():
        fully_shard(block, **options)
    fully_shard(model, **options)
    return model
'''

_DTYPES: Final = {"bf16": "bfloat16", "bf16-pure": "bfloat16", "fp16": "float16"} | dict.fromkeys(
    ("tf32", "fp32"), "float32"
)


def _write(plan: Planned, about: Sequence[str]) -> str:
    job, layout = plan.job, plan.layout
    constants = {
        "SHARD": max(1, layout.shard),
        "REPLICATE": layout.dp // max(1, layout.shard),
        "RESHARD_AFTER_FORWARD": layout.zero == 3,
        "RECOMPUTE": layout.recompute == Recompute.FULL,
        "MICRO_BATCH": layout.micro_batch,
        "ACCUMULATE": job.work.global_batch // (layout.dp * layout.micro_batch),
        "SEQ": job.work.seq,
    }
    dtype = _DTYPES[job.work.precision.name]
    offloaded = layout.offload == 1
    return comment(about) + TEMPLATE.format(
        imports=", ".join(
            [*["CPUOffloadPolicy"] * offloaded, "MixedPrecisionPolicy", "fully_shard"]
        ),
        constants="\n".join(f"{name} = {value!r}" for name, value in constants.items())
        + f"\nPRECISION = MixedPrecisionPolicy(param_dtype=torch.{dtype}, "
        "reduce_dtype=torch.float32)",
        options='{"mesh": mesh, "mp_policy": PRECISION, '
        '"reshard_after_forward": RESHARD_AFTER_FORWARD'
        + (', "offload_policy": CPUOffloadPolicy()}' if offloaded else "}"),
    )


FSDP2: Final = Exporter(
    framework="torchtitan",
    form="Python: parallelize(model, blocks) applies fully_shard",
    suffix=".py",
    checked="torch 2.6 and later",
    limits=(
        Limit(
            says="tp, pp, cp or ep: fully_shard is data parallelism; use --to torchtitan",
            applies=lambda plan: plan.layout.gpus > plan.layout.dp or plan.layout.ep > 1,
            refused=True,
        ),
        Limit(
            says="recompute=selective: use recompute=full or none",
            applies=lambda plan: plan.layout.recompute == Recompute.SELECTIVE,
            refused=True,
        ),
        Limit(
            says="offload of a share: use offload=0 or 1",
            applies=lambda plan: 0 < plan.layout.offload < 1,
            refused=True,
        ),
        Limit(
            says="offload=1 of optimizer states alone: parameters and gradients go with them",
            applies=lambda plan: plan.layout.offload == 1,
        ),
        limits.precision(*_DTYPES),
        limits.DP_OVERLAP,
        Limit(
            says="the shape of the model, the optimizer and the loop: yours",
            applies=lambda _: True,
        ),
    ),
    write=_write,
)
