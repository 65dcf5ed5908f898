"""Count what the CPU issues for a layer of experts, and for a ring, of Megatron-Core.

    python benchmarks/count_experts.py

Written as in megatron-core 0.14.0 (megatron/core/transformer/moe: router.py, moe_utils.py,
token_dispatcher.py, experts.py) with the kernels of transformer-engine 2.8.0
(transformer_engine/pytorch: module/grouped_linear.py, permutation.py, triton/permutation.py,
attention/dot_product_attention/context_parallel.py; csrc/extensions: gemm.cpp, cast.cpp), counted
as benchmarks/count_operations.py counts: the all-to-all dispatcher, ``--moe-permute-fusion``, a
router in 32 bits with its auxiliary loss, ``TEGroupedMLP``. A grouped product is a loop of C++ that
launches one product for each local expert, and in 8 bits one cast of each operand.
"""

from typing import Any

import torch
from count_operations import MADE, Count, counted, fused, issued
from torch import nn

TOKENS, HIDDEN, FFN, TOP_K, EXPERTS = 32, 16, 8, 2, 128


class _Grouped(torch.autograd.Function):
    """``GroupedLinear``: one product for each local expert, two backward."""

    @staticmethod
    def forward(ctx: Any, casts: bool, out: int, x: Any, *weights: Any) -> Any:
        ctx.casts, ctx.weights, ctx.shape = casts, weights, x.shape
        issued(views=0 if casts else 1, launches=len(weights) * (1 + casts))  # split, or cast
        return x.new_empty(x.shape[0], out)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        issued(views=0 if ctx.casts else 1, launches=len(ctx.weights) * (2 + ctx.casts))
        dummies = [torch.empty_like(weight) for weight in ctx.weights]  # in place of main_grad's
        return None, None, gradient.new_empty(ctx.shape), *dummies


class _Gate(torch.autograd.Function):
    """``RouterGatingLinearFunction`` with results in 32 bits."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any) -> Any:
        ctx.save_for_backward(x, weight)
        issued(1)
        return torch.empty(x.shape[0], weight.shape[0])

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        x, weight = ctx.saved_tensors
        wide, inputs = weight.to(torch.float32), x.to(torch.float32)
        return (gradient @ wide).to(x.dtype), (gradient.t() @ inputs).to(weight.dtype)


class _Moved(torch.autograd.Function):
    """A kernel that moves tokens and their probabilities, and one that moves gradients back."""

    @staticmethod
    def forward(ctx: Any, rows: int, x: Any, weights: Any) -> Any:
        ctx.shapes = x.shape, weights.shape
        issued(1)
        return x.new_empty(rows, HIDDEN), weights.new_empty(rows)

    @staticmethod
    def backward(ctx: Any, x: Any, weights: Any) -> Any:
        issued(1)
        return None, x.new_empty(ctx.shapes[0]), weights.new_empty(ctx.shapes[1])


class _Loss(torch.autograd.Function):
    """``MoEAuxLossAutoScaler``."""

    @staticmethod
    def forward(ctx: Any, x: Any, loss: Any) -> Any:
        ctx.save_for_backward(loss)
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        (loss,) = ctx.saved_tensors
        return gradient, torch.ones_like(loss) * 2.0


class Dense(nn.Module):
    """The MLP of a dense block, its norm left out: two products and a gated activation."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.empty(2 * FFN, HIDDEN, **MADE))
        self.down = nn.Parameter(torch.empty(HIDDEN, FFN, **MADE))

    def forward(self, stream: Any) -> Any:
        """Return what is added to the stream."""
        inner = fused(2, stream, self.up, shape=(TOKENS, 2 * FFN))
        inner = fused(1, inner, shape=(TOKENS, FFN))
        return fused(2, inner, self.down, shape=(TOKENS, HIDDEN))


class Experts(nn.Module):
    """``MoELayer`` of one rank: `local` of the experts, in 8 or in 16 bits."""

    def __init__(self, local: int, *, casts: bool = False) -> None:
        super().__init__()
        self.local, self.casts = local, casts
        self.router = nn.Parameter(torch.empty(EXPERTS, HIDDEN, **MADE))
        self.up = nn.ParameterList(
            nn.Parameter(torch.empty(2 * FFN, HIDDEN, **MADE)) for _ in range(local)
        )
        self.down = nn.ParameterList(
            nn.Parameter(torch.empty(HIDDEN, FFN, **MADE)) for _ in range(local)
        )
        self.logged = torch.zeros(4)

    def forward(self, stream: Any) -> Any:
        """Return what is added to the stream."""
        probabilities, chosen = self._route(stream)
        self._splits(chosen)
        rows = TOKENS * TOP_K
        issued(3, 2)  # where rows go
        moved, weights = _Moved.apply(rows, stream, probabilities)
        if self.local > 1:
            issued(1, 1)  # where chunks go
            moved, weights = _Moved.apply(rows, moved, weights)
        inner = _Grouped.apply(self.casts, 2 * FFN, moved, *self.up)
        inner = fused(3, inner, weights.unsqueeze(-1), shape=(rows, FFN))  # weighted_bias_swiglu
        out = _Grouped.apply(self.casts, HIDDEN, inner, *self.down)
        if self.local > 1:
            issued(1, 1)
            out = fused(1, out)
        return fused(1, out, shape=(TOKENS, HIDDEN))

    def _route(self, stream: Any) -> tuple[Any, Any]:
        logits = _Gate.apply(stream.view(-1, HIDDEN), self.router).view(-1, EXPERTS)
        scores, top = torch.topk(logits, k=TOP_K, dim=1)
        probabilities = torch.softmax(scores, dim=-1, dtype=torch.float32)
        probabilities = torch.zeros_like(logits).scatter(1, top, probabilities)
        chosen = torch.zeros_like(logits).int().scatter(1, top, 1).bool()
        # the auxiliary loss finds its own scores and choices
        scores = torch.softmax(logits, dim=-1, dtype=torch.float32)
        _, top = torch.topk(scores, k=TOP_K, dim=1)
        again = torch.zeros_like(logits).int().scatter(1, top, 1).bool()
        loss = torch.sum(scores.sum(dim=0) * again.sum(dim=0)) * 0.5
        self.logged[1] += (loss / 0.01).detach()
        return _Loss.apply(probabilities, loss), chosen

    def _splits(self, chosen: Any) -> None:
        """Tell the CPU how many tokens go where: `preprocess` and its copies."""
        each = chosen.sum(dim=0).long()
        sent = each.reshape(-1, self.local).sum(dim=1)
        everywhere = each.expand(EXPERTS // self.local, -1).reshape(-1, 1, EXPERTS).transpose(0, 1)
        here = everywhere[:, :, : self.local].contiguous()
        ranks = here.sum(dim=2)
        received, gathered, local = ranks[0], ranks.sum(dim=1), here.sum(dim=(0, 1))
        here.view(-1, self.local)
        for counts in (local, sent, received, gathered):
            counts.clone()  # to the CPU


class Ring(nn.Module):
    """``AttnFuncWithCPAndKVP2P``: what each further step of the ring adds to a block.

    The first step stands for attention without a ring. Sends and receives are collectives.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, stream: Any) -> Any:
        """Return what attention found."""
        for _ in range(self.steps - 1):
            issued(0, 1 + 4 + 1)  # a buffer; parts of queries, keys, values; half of the output
            issued(1, 3)  # attention: its result, statistics, random state
            issued(2)  # statistics and results corrected
            stream = _Step.apply(stream)
        return stream


class _Step(torch.autograd.Function):
    """What backward adds: operators are counted, nothing is computed."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.set_materialize_grads(False)
        return x

    @staticmethod
    def backward(_: Any, gradient: Any) -> Any:
        issued(0, 8)  # parts of queries, keys, values, results and of their gradients
        issued(1, 3)  # attention; three gradients
        issued(3)  # added to what is there
        return gradient


def both(block: nn.Module) -> tuple[Count, Count]:
    """Return what both passes of a block issue."""
    return counted(block, (TOKENS, HIDDEN))


def main() -> None:
    """Print the counts: forward and backward, and a third of both, which profiles have."""

    def told(name: str, forward: float, backward: float) -> None:
        mean = (forward + backward) / 3
        print(f"{name:28s} forward {forward:6.1f} backward {backward:6.1f} a third {mean:6.2f}")

    def less(one: tuple[Count, Count], other: tuple[Count, Count]) -> tuple[float, float]:
        return one[0].weighted - other[0].weighted, one[1].weighted - other[1].weighted

    dense = both(Dense())
    forward, backward = less(both(Experts(4)), both(Experts(2)))
    expert = forward / 2, backward / 2
    forward, backward = less(both(Experts(2)), dense)
    told("routing, over a dense MLP", forward - 2 * expert[0], backward - 2 * expert[1])
    told("each local expert", *expert)
    forward, backward = less(both(Experts(4, casts=True)), both(Experts(2, casts=True)))
    told("its casts to 8 bits", forward / 2 - expert[0], backward / 2 - expert[1])
    told("each further step of a ring", *less(both(Ring(3)), both(Ring(2))))


if __name__ == "__main__":
    main()
