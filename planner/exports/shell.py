"""Launch scripts."""

import shlex
from collections.abc import Sequence

from plan3d.planner.exports.planned import Planned, comment
from plan3d.planner.result import Job


def nodes(job: Job) -> tuple[int, int]:
    """Return GPUs per node and nodes: as full as they divide."""
    most = min(job.gpus, job.cluster.gpus_per_node)
    each = next(n for n in range(most, 0, -1) if job.gpus % n == 0)
    return each, job.gpus // each


def script(
    plan: Planned, about: Sequence[str], program: str, flags: Sequence[str],
    environment: Sequence[str] = (),
) -> str:  # fmt: skip
    """Return a script that starts a program with torchrun; its own arguments come last."""
    about = [*about, "data, tokenizer, learning rate and steps: arguments of this script"]
    each, count = nodes(plan.job)
    lines = [
        f"exec torchrun --nproc-per-node {each} --nnodes {count}",
        '--rdzv-backend c10d --rdzv-endpoint "${MASTER_ADDR:-localhost}:${MASTER_PORT:-29500}"',
        program,
        *pairs(flags),
        '"$@"',
    ]
    return (
        f"#!/usr/bin/env bash\n{comment(about)}set -euo pipefail\n"
        + "".join(f"export {line}\n" for line in environment)
        + " \\\n    ".join(lines)
        + "\n"
    )


def pairs(flags: Sequence[str]) -> list[str]:
    """Return words quoted, each flag with its value."""
    lines: list[str] = []
    for word in flags:
        if word.startswith("--"):
            lines.append(shlex.quote(word))
        else:
            lines[-1] += f" {shlex.quote(word)}"
    return lines
