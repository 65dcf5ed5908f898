"""One step of fused Adam over fp32 parameters, gradients and moments."""

from typing import Any, Final

import torch

from plan3d.hardware_profiles.measure.device import Device
from plan3d.hardware_profiles.measure.kernels.compare import TYPES, error, sampled
from plan3d.hardware_profiles.measure.task import Task
from plan3d.hardware_profiles.points.point import Shape

LARGEST: Final = 2**26
"""Parameters of one tensor: about a weight of a large model. [1]"""
RATE, DECAY, BETA1, BETA2, EPSILON = 1e-2, 0.1, 0.9, 0.95, 1e-8
SAMPLES: Final = 1000
TOLERANCE: Final = 2e-3
"""An update is a hundredth of a parameter, so it loses two digits of fp32 and more. [1]"""


def build(shape: Shape, device: Device) -> Task:
    """Make a step over n parameters ready, in tensors of at most `LARGEST`."""
    whole, rest = divmod(shape.n, LARGEST)
    sizes = [LARGEST] * whole + [rest] * (rest > 0)
    kind = TYPES[shape.dtype]
    parameters = [device.normal(size, dtype=kind).requires_grad_() for size in sizes]
    for parameter in parameters:
        parameter.grad = device.normal(*parameter.shape, dtype=kind)
    adam = torch.optim.AdamW(
        parameters, lr=RATE, betas=(BETA1, BETA2), eps=EPSILON, weight_decay=DECAY, fused=True
    )
    return Task(run=adam.step, error=lambda: _error(adam, parameters[-1]), tolerance=TOLERANCE)


def _error(adam: Any, parameter: Any) -> float:
    """Return the error of one update of some parameters, after Loshchilov and Hutter (2019)."""
    if parameter not in adam.state:
        adam.step()
    picked = sampled(parameter.numel(), SAMPLES, parameter.device)
    state = adam.state[parameter]
    p = parameter.detach()[picked].double()
    m, v = (state[name][picked].double() for name in ("exp_avg", "exp_avg_sq"))
    g = parameter.grad[picked].double()
    step = float(state["step"]) + 1
    adam.step()
    m = BETA1 * m + (1 - BETA1) * g
    v = BETA2 * v + (1 - BETA2) * g * g
    moved = RATE * m / (1 - BETA1**step) / ((v / (1 - BETA2**step)).sqrt() + EPSILON)
    update = -RATE * DECAY * p - moved
    return error(parameter.detach()[picked].double() - p, update)
