"""Groups of ranks, and what their members hold."""

from typing import Any

import torch
import torch.distributed as dist

from plan3d.hardware_profiles.measure.device import Device
from plan3d.hardware_profiles.measure.task import UnsupportedError
from plan3d.hardware_profiles.points.point import Shape

_subgroups: Any = dist.new_subgroups


def group_of(shape: Shape, device: Device) -> Any:
    """Return the group of this rank among groups of neighbours; all of them work at once."""
    if shape.ranks > device.ranks or device.ranks % shape.ranks or device.ranks == 1:
        raise UnsupportedError(
            f"{shape.ranks} ranks do not divide the {device.ranks} of this run; torchrun "
            f"--nproc-per-node starts more"
        )
    if shape.nodes > device.nodes:
        raise UnsupportedError(f"{shape.nodes} nodes are wanted, {device.nodes} run")
    if shape.ranks == device.ranks:
        return dist.group.WORLD
    if shape.ranks not in device.groups:
        device.groups[shape.ranks] = _subgroups(group_size=shape.ranks)[0]
    return device.groups[shape.ranks]


def of_all(values: Any, group: Any) -> Any:
    """Return the small tensors of all members, one after the other."""
    lists: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(lists, values.detach().double().cpu().tolist(), group=group)
    return torch.tensor(lists, dtype=torch.float64)


def level(device: Device) -> Any:
    """Return something to run that lets all ranks go on at the same time."""
    token = torch.zeros(1, device=device.where)
    return lambda: dist.all_reduce(token)
