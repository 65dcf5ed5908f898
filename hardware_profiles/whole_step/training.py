"""One training step of the decoder in 16 bits, with 32-bit master weights: measured.

Weights and gradients of a unit (a block, or all that is outside the blocks) are views of two flat
16-bit buffers that live as long as the model; the backward pass adds to the gradients in place, as
it must where several micro-batches make a step. The update goes unit by unit: gradients to 32
bits, fused AdamW on the master weights, master weights to 16 bits, gradients to zero.
"""

import gc
import statistics
from collections.abc import Callable
from typing import Any, Final

import torch

from plan3d.hardware_profiles.whole_step.decoder import Decoder
from plan3d.hardware_profiles.whole_step.grid import Case
from plan3d.hardware_profiles.whole_step.measured import Measured
from plan3d.hardware_profiles.whole_step.tracker import Tracker

WARM_UP: Final = 3
"""Steps before those that count: kernels are chosen, the allocator's cache fills. [1]"""
COUNTED: Final = 7
"""Steps of which the median is taken. [1]"""
RATE: Final = 1e-4
"""Learning rate. [1]"""


class Unit:
    """Parameters that are updated together, in flat buffers.

    Attributes
    ----------
    weights, gradients
        16 bits, shape (n,); the parameters and their gradients are views of them.
    master
        32 bits, shape (n,).
    """

    def __init__(self, parameters: list[Any]) -> None:
        self.weights = torch.cat([p.detach().flatten() for p in parameters])
        self.gradients = torch.zeros_like(self.weights)
        self.master = self.weights.float().requires_grad_()
        self.adam = torch.optim.AdamW([self.master], lr=RATE, fused=True)
        place = 0
        for parameter in parameters:
            part = slice(place, place + parameter.numel())
            parameter.data = self.weights[part].view_as(parameter)
            parameter.grad = self.gradients[part].view_as(parameter)
            place = part.stop

    def update(self) -> None:
        """Update the weights by the gradients, and start these again from zero."""
        self.master.grad = self.gradients.float()
        self.adam.step()
        self.master.grad = None
        self.weights.copy_(self.master.detach())
        self.gradients.zero_()


class Training:
    """A model in training, and the batch that it is trained on again and again."""

    def __init__(self, case: Case, device: str, dtype: Any) -> None:
        model = case.model
        self.decoder = Decoder(model, case.recompute, device=device, dtype=dtype)
        inside = [list(block.parameters()) for block in self.decoder.blocks]
        known = {id(parameter) for block in inside for parameter in block}
        outside = [p for p in self.decoder.parameters() if id(p) not in known]
        self.units = [Unit(parameters) for parameters in (*inside, outside)]
        size = (case.micro_batch, case.seq)
        self.tokens = torch.randint(model.vocab, size, device=device)
        self.targets = torch.randint(model.vocab, size, device=device)

    def forward(self) -> Any:
        """Return the loss."""
        return self.decoder(self.tokens, self.targets)

    def update(self) -> None:
        """Update all units."""
        with torch.no_grad():
            for unit in self.units:
                unit.update()

    def step(self, mark: Callable[[], None] = lambda: None) -> None:
        """Run one step; `mark` is called before it and after each of its three parts."""
        mark()
        loss = self.forward()
        mark()
        loss.backward()
        mark()
        self.update()
        mark()


def measure(case: Case, device: str) -> Measured:
    """Return time and peak memory of a step: on the CPU, memory only.

    On CUDA the times are medians of several steps between events on the stream, and the peaks
    those of PyTorch's allocator; on the CPU the peak is that of the live tensors.

    Parameters
    ----------
    case
        What to train.
    device
        ``cuda`` or ``cpu``.
    """
    return _on_cuda(case) if device == "cuda" else _on_cpu(case)


def _on_cpu(case: Case) -> Measured:
    """Return the peak of the live tensors of the second step: the first one makes the states."""
    torch.manual_seed(0)
    with Tracker() as tracker:
        training = Training(case, "cpu", torch.bfloat16)
        training.step()
        tracker.reset()
        training.step()
    return Measured(peak_bytes=float(tracker.peak_bytes))


def _on_cuda(case: Case) -> Measured:
    """Return times and peaks, or that the GPU's memory was not enough."""
    try:
        return _timed(case)
    except torch.cuda.OutOfMemoryError:
        return Measured(out_of_memory=True)
    finally:
        gc.collect()  # modules and the graph refer to each other
        torch.cuda.empty_cache()


def _timed(case: Case) -> Measured:
    """Return times and peaks of a step on the current GPU."""
    torch.manual_seed(0)
    training = Training(case, "cuda", half_type())
    for _ in range(WARM_UP):
        training.step()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    steps: list[list[Any]] = []
    for _ in range(COUNTED):
        events: list[Any] = []

        def mark(events: list[Any] = events) -> None:
            events.append(torch.cuda.Event(enable_timing=True))
            events[-1].record()

        training.step(mark)
        steps.append(events)
    torch.cuda.synchronize()

    def median_s(start: int, end: int) -> float:
        return float(statistics.median(e[start].elapsed_time(e[end]) for e in steps)) / 1e3

    return Measured(
        step_s=median_s(0, 3),
        forward_s=median_s(0, 1),
        backward_s=median_s(1, 2),
        update_s=median_s(2, 3),
        peak_bytes=float(torch.cuda.max_memory_allocated()),
        reserved_bytes=float(torch.cuda.max_memory_reserved()),
    )


def half_type() -> Any:
    """Return the 16-bit type of the current GPU: bfloat16 from compute capability 8.0 on."""
    return torch.bfloat16 if torch.cuda.get_device_capability()[0] >= 8 else torch.float16
