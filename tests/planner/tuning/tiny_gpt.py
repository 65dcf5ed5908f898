"""A small GPT that really trains on two CPU processes (gloo): data-parallel or pipelined.

``tiny_gpt.py --pp 2 --dp 1 --micro-batch 2 --global-batch 8`` prints the time of each step.
"""

# ruff: noqa: T201

import argparse
import json
import tempfile
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.pipelining import PipelineStage, Schedule1F1B

VOCAB, HIDDEN, HEADS, LAYERS, SEQ, STEPS = 512, 64, 4, 4, 64, 4


class Stage(nn.Module):
    """Some of the layers; the first stage has the embedding, the last the output."""

    def __init__(self, stage: int, stages: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, HIDDEN) if stage == 0 else None
        self.blocks = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    HIDDEN, HEADS, 4 * HIDDEN, dropout=0.0, batch_first=True, norm_first=True
                )
                for _ in range(LAYERS // stages)
            )
        )
        self.output = nn.Linear(HIDDEN, VOCAB) if stage == stages - 1 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x if self.embedding is None else self.embedding(x)
        x = self.blocks(x)
        return x if self.output is None else self.output(x)


def loss_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def train(rank: int, said: argparse.Namespace, store: str) -> None:
    """Train a few steps on one of two ranks; the last prints their times."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    stage = rank if said.pp == 2 else 0
    model = Stage(stage, said.pp)
    optimizer = torch.optim.AdamW(model.parameters())
    batch = said.global_batch // said.dp
    data = torch.randint(VOCAB, (batch, SEQ + 1))
    inputs, targets = data[:, :-1].contiguous(), data[:, 1:].contiguous()
    count = batch // said.micro_batch
    pipeline = None
    if said.pp == 2:
        part = PipelineStage(model, stage, 2, torch.device("cpu"))
        pipeline = Schedule1F1B(part, count, loss_fn=loss_of)
    losses = []
    for _ in range(STEPS):
        dist.barrier()
        start_s = time.perf_counter()
        optimizer.zero_grad()
        if pipeline is None:
            total = 0.0
            for x, y in zip(inputs.chunk(count), targets.chunk(count), strict=True):
                loss = loss_of(model(x), y) / count
                loss.backward()
                total += loss.item()
            losses.append(total)
            for parameter in model.parameters():
                dist.all_reduce(parameter.grad)
                parameter.grad /= 2
        elif stage == 0:
            pipeline.step(inputs)
        else:
            found: list[torch.Tensor] = []
            pipeline.step(target=targets, losses=found)
            losses.append(torch.stack(found).mean().item())
        optimizer.step()
        dist.barrier()
        if rank == 1:
            step = {"step_time_s": time.perf_counter() - start_s, "loss": losses[-1]}
            print(json.dumps(step), flush=True)
    dist.destroy_process_group()


def main() -> None:
    """Read the layout, and train on two processes."""
    parser = argparse.ArgumentParser()
    for name in ("--pp", "--dp", "--micro-batch", "--global-batch"):
        parser.add_argument(name, type=int, required=True)
    said = parser.parse_args()
    if said.pp * said.dp != 2:
        parser.error("this program has two processes")
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.start_processes(
            train,
            (said, f"{folder}/store"),
            nprocs=2,
            start_method="fork",
        )


main()
