"""Count what the CPU issues for a transformer block, by generation of software.

    python benchmarks/count_operations.py

Blocks are written out as the code of each framework runs them (the sources beside them), on tensors
without data, and torch tells every operator that runs, forward and backward. A kernel of the
framework's own (fused norm, softmax, attention; functions that TorchScript fuses) counts as one
forward and as many backward as its code launches. Views cost the CPU less than kernels: some 3 us
against 10 us, so that a view counts as 0.3 (hardware_profiles/software/torch-plain.toml). A launch
in a loop of C++ has no Python around it, and counts as half an operation: 10 us of 20.
Collectives are left out: `Software.collective_s` has their time. Layers of experts are counted by
benchmarks/count_experts.py.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # torch's own custom
from torch.utils._python_dispatch import TorchDispatchMode

from plan3d.hardware_profiles.whole_step.decoder import Block, angles
from plan3d.simulator.model import ModelSpec

QUEUED: Final = 1024
"""Launches that CUDA queues: stackoverflow.com/questions/53970187. [1]"""
WHOLE: Final = 2
"""Tensors of the whole group's stream that a block of nanotron makes forward: what its two
row-parallel products reduce and scatter. [1]"""
COLLECTIVES: Final = 4
"""All-gathers and reduce-scatters of its forward pass. [1]"""
VIEW: Final = 0.3
"""CPU time of a view over that of a kernel. [1]"""
LAUNCH: Final = 0.5
"""The same of a launch in a loop of C++. [1]"""
HIDDEN, HEADS, SEQ, BATCH = 1536, 12, 96, 2
MADE: Final[dict[str, Any]] = {"device": "cpu", "dtype": torch.bfloat16}


@dataclass(slots=True)
class Count:
    """Operators that ran."""

    kernels: int = 0
    views: int = 0
    launches: int = 0

    @property
    def weighted(self) -> float:
        """As so many kernels [1]."""
        return self.kernels + VIEW * self.views + LAUNCH * self.launches


class Counter(TorchDispatchMode):
    """Counts operators that run inside."""

    current: "Counter | None" = None

    def __init__(self) -> None:
        super().__init__()
        self.count = Count()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        returns = func._schema.returns
        view = any(r.alias_info is not None and not r.alias_info.is_write for r in returns)
        made = func._schema.name.startswith(("aten::empty", "aten::detach", "aten::new_empty"))
        if view or made:
            self.count.views += 1
        else:
            self.count.kernels += 1
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def counting() -> Iterator[Counter]:
    """Count what runs inside."""
    with Counter() as counter:
        Counter.current = counter
        yield counter
    Counter.current = None


def issued(kernels: int = 0, views: int = 0, launches: int = 0) -> None:
    """Count kernels, views and launches that no operator of torch tells."""
    if Counter.current is not None:
        Counter.current.count.kernels += kernels
        Counter.current.count.views += views
        Counter.current.count.launches += launches


class _Fused(torch.autograd.Function):
    """A kernel of a framework's own: one allocation and one launch, and those of its backward."""

    @staticmethod
    def forward(ctx: Any, backward: int, shape: tuple[int, ...], *inputs: Any) -> Any:
        ctx.backward_kernels, ctx.inputs = backward, inputs
        issued(1)
        return inputs[0].new_empty(shape)

    @staticmethod
    def backward(ctx: Any, _: Any) -> Any:
        issued(ctx.backward_kernels)
        return None, None, *(torch.empty_like(one) for one in ctx.inputs)


def fused(backward: int, *inputs: Any, shape: tuple[int, ...] = ()) -> Any:
    """Run a fused kernel; the result is shaped as the first input unless said otherwise."""
    return _Fused.apply(backward, shape or inputs[0].shape, *inputs)


class Megatron(nn.Module):
    """Megatron-LM 2020-2023 and Megatron-DeepSpeed, `ParallelTransformerLayer`, tp = 1.

    bigscience-workshop/Megatron-DeepSpeed@06dc2d7f13, megatron/model/transformer.py.
    """

    def __init__(self) -> None:
        super().__init__()
        h = HIDDEN
        self.norms = nn.ParameterList(nn.Parameter(torch.ones(h, **MADE)) for _ in range(4))
        self.qkv, self.dense = nn.Linear(h, 3 * h, **MADE), nn.Linear(h, h, **MADE)
        self.up, self.down = nn.Linear(h, 4 * h, **MADE), nn.Linear(4 * h, h, **MADE)

    def forward(self, stream: Any) -> Any:
        """Return the stream after the block, shape (s, b, h)."""
        s, b, h = stream.shape
        d = h // HEADS
        weight, bias, weight_2, bias_2 = self.norms
        # apex: input, and weight and bias in two steps
        mixed = self.qkv(fused(3, stream, weight, bias)).view(s, b, HEADS, 3 * d)
        q, k, v = torch.split(mixed, d, dim=-1)
        q, k = q.view(s, b * HEADS, d), k.view(s, b * HEADS, d)
        scores = torch.baddbmm(
            torch.empty(b * HEADS, s, s, **MADE),
            q.transpose(0, 1), k.transpose(0, 1).transpose(1, 2), beta=0.0, alpha=0.1,
        ).view(b, HEADS, s, s)  # fmt: skip
        probabilities = fused(1, scores)
        issued(0, 6)  # get_cuda_rng_tracker().fork(): states read and set, twice
        probabilities = fused(1, probabilities).view(b * HEADS, s, s)  # dropout
        core = torch.bmm(probabilities, v.view(s, b * HEADS, d).transpose(0, 1))
        core = core.view(b, HEADS, s, d).permute(2, 0, 1, 3).contiguous().view(s, b, h)
        out = F.linear(core, self.dense.weight)
        # bias_dropout_add: mask and sum; backward product, and sum over tokens of the bias
        stream = fused(2, out, self.dense.bias.expand_as(stream), stream)
        inner = F.linear(fused(3, stream, weight_2, bias_2), self.up.weight)
        inner = fused(2, inner, self.up.bias)  # bias_gelu
        return fused(2, F.linear(inner, self.down.weight), self.down.bias.expand_as(stream), stream)


class _Column(torch.autograd.Function):
    """nanotron's `_ColumnLinearAsyncCommunication` on a rank between two others."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any) -> Any:
        ctx.save_for_backward(x, weight)
        rows, width = x.shape[0] * x.shape[1], x.shape[2]
        whole = torch.empty(3 * x.shape[0], *x.shape[1:], **MADE)
        out = torch.empty(3 * x.shape[0], x.shape[1], weight.shape[0], **MADE)
        parts, sources = out.split(x.shape[0]), whole.split(x.shape[0])
        for part, source in zip(parts, sources, strict=True):
            flat = part.view(rows, -1)
            torch.mm(source.view(rows, width), weight.t(), out=flat)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        x, weight = ctx.saved_tensors
        whole = torch.empty(3 * x.shape[0], *x.shape[1:], **MADE)
        gradient.matmul(weight)  # what is reduced and scattered
        flat = gradient.contiguous().view(-1, gradient.shape[-1])
        own = torch.empty_like(x)
        return own, flat.t().matmul(whole.view(-1, x.shape[-1]))


class _Row(torch.autograd.Function):
    """nanotron's `_RowLinearAsyncCommunication`."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any) -> Any:
        ctx.save_for_backward(x, weight)
        out = F.linear(x, weight)
        return torch.empty(out.shape[0] // 3, *out.shape[1:], **MADE)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        x, weight = ctx.saved_tensors
        n = gradient.shape[0]
        whole = torch.empty(3 * n, *gradient.shape[1:], **MADE)
        gradient = gradient.contiguous()
        inner = torch.empty(3 * n, gradient.shape[1], weight.shape[1], **MADE)
        parts, sources = inner.split(n), whole.split(n)
        for part, source in zip(parts, sources, strict=True):
            torch.mm(source.view(-1, source.shape[-1]), weight, out=part.view(-1, weight.shape[1]))
        flat = whole.view(-1, whole.shape[-1])
        return inner, flat.t().matmul(x.contiguous().view(-1, x.shape[-1]))


class Nanotron(nn.Module):
    """nanotron 2024-25, `LlamaDecoderLayer`, tp > 1, gathered asynchronously.

    huggingface/nanotron@03b83fc825, src/nanotron/models/llama.py;
    @00708b80c8, src/nanotron/parallel/tensor_parallel/functional.py.
    """

    def __init__(self) -> None:
        super().__init__()
        h = HIDDEN
        self.mask = torch.ones(BATCH, 3 * SEQ, dtype=torch.bool)
        shapes = ((3 * h // 3, h), (h, h // 3), (2 * 4 * h // 3, h), (h, 4 * h // 3))
        self.weights = nn.ParameterList(nn.Parameter(torch.empty(*s, **MADE)) for s in shapes)
        self.norms = nn.ParameterList(nn.Parameter(torch.ones(h, **MADE)) for _ in range(2))

    def forward(self, stream: Any) -> Any:
        """Return the stream after the block, shape (s / tp, b, h)."""
        qkv, dense, up, down = self.weights
        whole, b = 3 * stream.shape[0], stream.shape[1]
        mixed = _Column.apply(fused(2, stream, self.norms[0]), qkv)  # Triton: input; weight summed
        width = mixed.shape[-1] // 3
        heads = [part.transpose(0, 1).contiguous().view(b, whole, 1, width)
                 for part in mixed.split(width, dim=-1)]  # fmt: skip
        q, k, v = heads
        kv = torch.cat([k.unsqueeze(0), v.unsqueeze(0)]).permute(1, 2, 0, 3, 4).contiguous()
        q, kv = fused(2, q), fused(2, kv)  # rotary of flash-attn, and a copy of the gradient
        k, v = torch.split(kv, 1, dim=2)
        q, k, v = (x.reshape(b * whole, 1, width) for x in (q, k, v))
        for _ in "qk":  # where sequences begin
            lengths = torch.zeros(b + 1, dtype=torch.int32)
            counted = self.mask.sum(-1, dtype=torch.int32)
            torch.cumsum(counted, 0, dtype=torch.int32, out=lengths[1:])
        core = fused(3, q, k, v).contiguous().view(b, whole, width).transpose(0, 1)
        stream = _Row.apply(core, dense) + stream
        gate, linear = _Column.apply(fused(2, stream, self.norms[1]), up).chunk(2, dim=-1)
        return _Row.apply(F.silu(gate) * linear, down) + stream


def plain(gated: bool) -> Callable[[Any], Any]:
    """Return a block of eager PyTorch, GPT or LLaMA style (`plan3d check`)."""
    model = ModelSpec(
        name="counted", layers=1, hidden=HIDDEN, heads=HEADS, kv_heads=HEADS,
        head_dim=HIDDEN // HEADS, ffn=4 * HIDDEN,
        vocab=256, gated=gated, norm="rmsnorm" if gated else "layernorm",
        positions="rotary" if gated else "learned",
    )  # fmt: skip
    block = Block(model, False, **MADE)
    turns = angles(SEQ, model.head_dim, torch.empty(1, **MADE)) if gated else ()
    return lambda stream: block(stream, *turns)


def counted(block: Any, shape: tuple[int, ...]) -> tuple[Count, Count]:
    """Return what a forward and a backward pass issue, gradients added to those that are there."""
    parameters = list(block.parameters()) if isinstance(block, nn.Module) else []
    for parameter in parameters:
        parameter.grad = torch.empty_like(parameter)
    stream = torch.empty(shape, requires_grad=True, **MADE)
    with counting() as forward:
        out = block(stream)
    with counting() as backward:
        out.backward(torch.empty_like(out))
    return forward.count, backward.count


def late_most() -> float:
    """Return how many whole tensors of nanotron's a full queue of launches holds [1]."""
    forward, _ = counted(Nanotron(), (SEQ, BATCH, HIDDEN))
    return QUEUED * WHOLE / (forward.kernels + COLLECTIVES)


def main() -> None:
    """Print the counts."""
    blocks = {
        "Megatron": (Megatron(), (SEQ, BATCH, HIDDEN)),
        "nanotron": (Nanotron(), (SEQ, BATCH, HIDDEN)),
        "eager GPT": (plain(False), (BATCH, SEQ, HIDDEN)),
        "eager LLaMA": (plain(True), (BATCH, SEQ, HIDDEN)),
    }
    for name, (block, shape) in blocks.items():
        forward, backward = counted(block, shape)
        print(
            f"{name:12s} forward {forward.kernels} kernels {forward.views} views = "
            f"{forward.weighted:.1f}; backward {backward.kernels} {backward.views} = "
            f"{backward.weighted:.1f}"
        )
    print(f"nanotron     {QUEUED} launches hold {late_most():.1f} whole tensors: late_most")


if __name__ == "__main__":
    main()
