"""Count what eager experts move and what a router keeps, in PyTorch, operator by operator.

    python benchmarks/count_padded_experts.py

Experts that are padded to the busiest one, and a block whose router holds on to a loss of its own,
written as the code of KempnerForge runs them (kempnerforge/model/moe.py and router.py of April
2026, github.com/KempnerInstitute/KempnerForge). The first count is that of
`plan3d.simulator.padded_experts`, products aside; the second that of
`plan3d.simulator.activations` for `Software.keeps_routing`, in bytes per token and number of the
stream.
"""

from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # torch's own custom
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

TOKENS, HIDDEN, HEADS, KV_HEADS, TOP_K = 128, 1024, 8, 2, 2
HALF: Final = torch.bfloat16
LEFT_OUT: Final = ("aten::bmm", "aten::mm", "aten::empty", "aten::new_empty", "aten::detach")
"""Products, and what moves nothing."""
WRITTEN_ONLY: Final = ("zeros", "zero_", "ones_like", "fill_", "select_backward", "slice_backward")
"""Operators that read nothing, or a part of what they write that is counted beside them."""


class Moved(TorchDispatchMode):
    """Adds up what operators inside read and write, a stretched index as one column. [bytes]."""

    total = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out, name = func(*args, **(kwargs or {})), func._schema.name
        view = any(
            r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns
        )
        if view or name.startswith(LEFT_OUT):
            return out
        read = [] if name.endswith(WRITTEN_ONLY) else [*args, *(kwargs or {}).values()]
        read = read[1:] if name == "aten::copy_" else read
        written = out if isinstance(out, tuple | list) else [out]
        self.total += sum(_size(one) for one in [*read, *written] if isinstance(one, torch.Tensor))
        return out


def _size(tensor: torch.Tensor) -> int:
    """Bytes of the numbers that a tensor has of its own."""
    own = [n for n, step in zip(tensor.shape, tensor.stride(), strict=True) if step]
    return int(torch.Size(own).numel()) * tensor.element_size()


def padded(stream: Any, weights: Any, gate: Any, up: Any, down: Any) -> Any:
    """Return what padded experts make of tokens that all go to the first `TOP_K`."""
    chosen = torch.arange(TOP_K).repeat(TOKENS, 1).reshape(-1)
    tokens = torch.arange(TOKENS).unsqueeze(1).expand(-1, TOP_K).reshape(-1)
    order = torch.argsort(chosen, stable=True)
    rows, counts = stream[tokens[order]], [TOKENS] * TOP_K
    wide = rows.new_zeros(len(gate), TOKENS, HIDDEN)
    for i, part in enumerate(rows.split(counts)):
        wide[i, :TOKENS] = part
    results = torch.bmm(F.silu(torch.bmm(wide, gate)) * torch.bmm(wide, up), down)
    flat = torch.zeros_like(rows)
    for i in range(TOP_K):
        flat[i * TOKENS : (i + 1) * TOKENS] = results[i, :TOKENS]
    weighted = flat * weights.reshape(-1)[order].unsqueeze(-1)
    places = tokens[order].unsqueeze(-1).expand_as(weighted)
    return torch.zeros_like(stream).scatter_add_(0, places, weighted)


def moved(count: int, ffn: int) -> tuple[float, float]:
    """Return what a forward and a backward pass of so many padded experts move [bytes]."""
    stream = torch.randn(TOKENS, HIDDEN, dtype=HALF, requires_grad=True)
    weights = torch.full((TOKENS, TOP_K), 0.5, dtype=HALF, requires_grad=True)
    shapes = ((HIDDEN, ffn), (HIDDEN, ffn), (ffn, HIDDEN))
    experts = [torch.randn(count, *shape, dtype=HALF, requires_grad=True) for shape in shapes]
    with Moved() as forward:
        out = padded(stream, weights, *experts)
    with Moved() as backward:
        out.backward(torch.ones_like(out))
    return forward.total, backward.total


class Block(nn.Module):
    """A block up to its experts, which one product stands for."""

    def __init__(self) -> None:
        super().__init__()
        own = HIDDEN // HEADS * KV_HEADS
        widths = {"q": HIDDEN, "k": own, "v": own, "o": HIDDEN, "gate": 8, "experts": HIDDEN}
        self.linear = nn.ModuleDict(
            {k: nn.Linear(HIDDEN, n, bias=False, dtype=HALF) for k, n in widths.items()}
        )
        self.norms = nn.ParameterList(nn.Parameter(torch.ones(HIDDEN, dtype=HALF)) for _ in "12")
        self.loss: Any = None

    def forward(self, stream: Any) -> Any:
        """Return the stream, and hold on to the router's loss."""
        first, second = self.norms
        x = _norm(stream, first)
        q, k, v = (
            self.linear[name](x).view(1, TOKENS, -1, HIDDEN // HEADS).transpose(1, 2)
            for name in "qkv"
        )
        k, v = (one.repeat_interleave(HEADS // KV_HEADS, dim=1) for one in (k, v))
        core = F.scaled_dot_product_attention(q.contiguous(), k, v, is_causal=True)
        stream = stream + self.linear["o"](core.transpose(1, 2).reshape(1, TOKENS, HIDDEN))
        x = _norm(stream, second)
        self.loss = F.softmax(self.linear["gate"](x), dim=-1).mean()
        return stream + self.linear["experts"](x)


def _norm(x: Any, weight: Any) -> Any:
    x = x.float()
    return (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True)) * weight).to(HALF)


def kept() -> float:
    """Return what a replayed block still holds after a backward pass, without weights [bytes]."""
    block = Block()
    stream = torch.randn(1, TOKENS, HIDDEN, dtype=HALF, requires_grad=True)
    out = checkpoint(block, stream, use_reentrant=False)
    (out.float().sum() + block.loss).backward()
    sizes: dict[int, int] = {}
    seen, left = set(), [block.loss.grad_fn]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        left.extend(other for other, _ in node.next_functions)
        for name in (name for name in dir(node) if name.startswith("_saved_")):
            tensor = getattr(node, name)
            if isinstance(tensor, torch.Tensor) and TOKENS in tensor.shape:
                storage = tensor.untyped_storage()
                sizes[storage.data_ptr()] = storage.nbytes()
    return float(sum(sizes.values()))


def main() -> None:
    """Print the counts, by the symbols of `padded_bytes`: solved from three sizes."""
    unit = TOKENS * 2
    few, more, wide = (moved(count, ffn) for count, ffn in ((8, 8), (16, 8), (8, 72)))
    for i, name in enumerate(("forward", "backward")):
        between = (wide[i] - few[i]) / (8 * 64 * unit)
        padded_rows = ((more[i] - few[i]) / unit - 8 * 8 * between) / (8 * HIDDEN)
        routed = (few[i] / unit - 64 * between - 8 * HIDDEN * padded_rows) / (TOP_K * HIDDEN)
        print(f"{name}: {padded_rows:.1f} P + {between:.1f} A + {routed:.1f} R")
    print(f"a router's loss keeps {kept() / TOKENS / HIDDEN:.1f} bytes per token and number")


if __name__ == "__main__":
    main()
