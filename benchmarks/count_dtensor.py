"""Count what tensor parallelism by DTensors issues for a block, and what of the CPU it takes.

    python benchmarks/count_dtensor.py

The eager LLaMA block of benchmarks/count_operations.py on one rank of four, on a process group that
sends nothing, parallel as torchtitan (torchtitan/models/llama3/infra/parallelize.py) and
KempnerForge (kempnerforge/distributed/tensor_parallel.py, whose stages of a pipeline have no
sequence parallelism) make theirs. Operators of DTensors and conversions are counted; torch.compile
traces all of them away. What they take is this machine's time, so it is also told in operations: of
so many, without what half of each kernel's is its launch, the same block takes as long without
DTensors. Collectives are left out, which `Software.collective_s` has.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any, Final
from unittest.mock import patch

import torch
from count_operations import LAUNCH, counted
from torch import distributed as dist
from torch.distributed import _functional_collectives as functional
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    PrepareModuleInput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import TorchDispatchMode

from plan3d.hardware_profiles.whole_step.decoder import Block, angles
from plan3d.simulator.model import ModelSpec

RANKS, BATCH, SEQ, TURNS = 4, 1, 16, 200
MADE: Final[dict[str, Any]] = {"device": "cpu", "dtype": torch.bfloat16}
MODEL = ModelSpec(
    name="counted", layers=1, hidden=64, heads=8, kv_heads=4, head_dim=8, ffn=128, vocab=256,
    gated=True, norm="rmsnorm", positions="rotary", qkv_bias=False, out_bias=False, mlp_bias=False,
)  # fmt: skip
COLUMNS = [f"attention.inputs.{i}" for i in range(3)] + ["mlp.gate", "mlp.up"]
ROWS = ["attention.output", "mlp.down"]
NORMS = ["attention_norm", "mlp_norm"]
CONVERSIONS = ("from_local", "to_local", "redistribute")
OPERATORS: Final = "operators of DTensors"
TIME: Final = "the CPU's time more, us"
SAME: Final = "as so many operations"
COLLECTIVES: Final = "collectives"
SENDING = tuple(
    f"_c10d_functional::{one}" for one in ("all_reduce", "all_gather", "reduce_scatter")
)


class Counted(TorchDispatchMode):
    """Counts operators of DTensors, and collectives, that run inside."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if DTensor in types:
            self.count[OPERATORS] += 1
            return NotImplemented  # DTensor's turn, and then its local tensors'
        self.count[COLLECTIVES] += func._schema.name.startswith(SENDING)
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def counting() -> Iterator[Counter[str]]:
    """Count what runs inside, conversions from and to local tensors among it."""
    with contextlib.ExitStack() as stack:
        inside = stack.enter_context(Counted())
        for name in CONVERSIONS:
            known = getattr(DTensor, name)

            def call(*args: Any, _name: str = name, _known: Any = known, **kwargs: Any) -> Any:
                inside.count[_name] += 1
                return _known(*args, **kwargs)

            static = name == "from_local"
            stack.enter_context(patch.object(DTensor, name, staticmethod(call) if static else call))
        yield inside.count


def stages() -> dict[str, ParallelStyle]:
    """KempnerForge's stages of a pipeline: what goes in and comes out is whole."""
    plan: dict[str, ParallelStyle] = {name: ColwiseParallel() for name in COLUMNS}
    return plan | {name: RowwiseParallel() for name in ROWS}


def columns_apart() -> dict[str, ParallelStyle]:
    """KempnerForge with sequence parallelism: every column-parallel layer gathers for itself."""
    plan: dict[str, ParallelStyle] = {
        name: ColwiseParallel(input_layouts=Shard(1)) for name in COLUMNS
    }
    plan |= {name: RowwiseParallel(output_layouts=Shard(1)) for name in ROWS}
    return plan | {name: SequenceParallel() for name in NORMS}


def gathered_once() -> dict[str, ParallelStyle]:
    """Torchtitan: attention and MLP gather their inputs once."""
    plan: dict[str, ParallelStyle] = {name: ColwiseParallel() for name in COLUMNS}
    plan |= {name: RowwiseParallel(output_layouts=Shard(1)) for name in ROWS}
    plan |= {name: SequenceParallel() for name in NORMS}
    whole = (Replicate(), None, None)
    plan["attention"] = PrepareModuleInput(
        input_layouts=(Shard(1), None, None), desired_input_layouts=whole
    )
    plan["mlp"] = PrepareModuleInput(
        input_layouts=(Shard(1),), desired_input_layouts=(Replicate(),)
    )
    return plan


def parallel(plan: dict[str, ParallelStyle], mesh: DeviceMesh, *, stays: bool) -> Any:
    """Return a block after a plan; `stays`: its stream is a DTensor between blocks."""
    block = Block(MODEL, False, **MADE)
    if plan:
        parallelize_module(block, mesh, plan)
    if stays:
        for part in (block.attention, block.mlp):
            part.register_forward_hook(
                lambda *args: DTensor.from_local(args[-1], mesh, [Shard(1)], run_check=False)
            )
    return block


@dataclass(slots=True)
class Passes:
    """What a forward and a backward pass run, and the CPU's time. [1], [s]."""

    counts: tuple[Counter[str], Counter[str]]
    seconds: tuple[float, float]


def passes(block: Any, mesh: DeviceMesh, *, sequence: bool, stays: bool) -> Passes:
    """Return both passes of a block, gradients added to those that are there."""
    for parameter in block.parameters():
        parameter.grad = torch.zeros_like(parameter)
    part = RANKS if sequence else 1
    stream = torch.zeros(BATCH, SEQ // part, MODEL.hidden, requires_grad=True, **MADE)
    turns = angles(SEQ, MODEL.head_dim, stream)

    def forward() -> Any:
        return block(enters(), *turns)

    def enters() -> Any:
        return DTensor.from_local(stream, mesh, [Shard(1)], run_check=False) if stays else stream

    gradient = torch.ones_like(forward())
    with counting() as ahead:
        out = forward()
    with counting() as back:
        out.backward(gradient)
    taken: list[tuple[float, float]] = []
    for _ in range(TURNS):
        began = time.perf_counter()
        out = forward()
        turned = time.perf_counter()
        out.backward(gradient)
        taken.append((turned - began, time.perf_counter() - turned))
    one, other = (median(times) for times in zip(*taken, strict=True))
    return Passes((ahead, back), (one, other))


def collective_s(mesh: DeviceMesh) -> float:
    """Return the CPU's time for a collective that sends nothing [s]."""
    tensor = torch.zeros(BATCH, SEQ, MODEL.hidden, **MADE)
    began = time.perf_counter()
    for _ in range(TURNS):
        functional.wait_tensor(functional.all_reduce(tensor, "sum", mesh))
    return (time.perf_counter() - began) / TURNS


def told(what: str, ahead: float, back: float) -> None:
    """Print a line: forward, backward, and a third of both, which `Software.dispatch_s` is."""
    mean = (ahead + back) / 3
    print(f"  {what:24s} forward {ahead:6.1f}  backward {back:6.1f}  a third {mean:6.1f}")


def main() -> None:
    """Print the counts, and what the CPU takes."""
    torch.set_num_threads(1)
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=RANKS)
    mesh = init_device_mesh("cpu", (RANKS,), mesh_dim_names=("tp",))
    alone = parallel({}, mesh, stays=False)
    plain = passes(alone, mesh, sequence=False, stays=False)
    turns = angles(SEQ, MODEL.head_dim, torch.empty(1, **MADE))
    counts = counted(lambda stream: alone(stream, *turns), (BATCH, SEQ, MODEL.hidden))
    rates = [
        (count.weighted - LAUNCH * count.kernels) / seconds
        for count, seconds in zip(counts, plain.seconds, strict=True)
    ]
    each_s = collective_s(mesh)
    plans: dict[str, tuple[Callable[[], dict[str, ParallelStyle]], bool, bool]] = {
        "KempnerForge, stages of pipelines": (stages, False, False),
        "KempnerForge, sequence parallel": (columns_apart, True, True),
        "torchtitan": (gathered_once, True, False),
    }
    took = " and ".join(f"{1e6 * seconds:.0f}" for seconds in plain.seconds)
    print(f"PyTorch {torch.__version__}: without DTensors {took} us forward and backward here")
    for name, (plan, sequence, stays) in plans.items():
        made = parallel(plan(), mesh, stays=stays)
        found = passes(made, mesh, sequence=sequence, stays=stays)
        print(name)
        for what in (OPERATORS, *CONVERSIONS, COLLECTIVES):
            told(what, *(count[what] for count in found.counts))
        more = [
            taken - known - count[COLLECTIVES] * each_s
            for taken, known, count in zip(found.seconds, plain.seconds, found.counts, strict=True)
        ]
        told(TIME, *(1e6 * seconds for seconds in more))
        told(SAME, *(seconds * rate for seconds, rate in zip(more, rates, strict=True)))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
