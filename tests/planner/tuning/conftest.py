"""A small job, its grid, and the stand-in launcher as a command."""

import sys
from pathlib import Path

import pytest

import plan3d
from plan3d.planner.constraints import parse_fix
from plan3d.planner.result import Job
from plan3d.planner.searchers.grid import Grid, grid_of
from plan3d.planner.tuning import Template
from plan3d.simulator.layout import Layout

LAUNCHER = Path(__file__).with_name("launcher.py")
GAPS = "--tp {tp} --pp {pp} --micro-batch {micro_batch}"
FIXED = ("zero=1", "recompute=none", "vpp=1", "cp=1", "order=tp-cp-ep-dp-pp", "offload=0")


@pytest.fixture(scope="session")
def job() -> Job:
    return plan3d.job("llama-3-8b", 16, global_batch=64)


@pytest.fixture(scope="session")
def grid(job: Job) -> Grid:
    return grid_of(job, constraints=tuple(map(parse_fix, (*FIXED, "schedule=1f1b"))))


@pytest.fixture
def command() -> str:
    return f"{sys.executable} -S -E {LAUNCHER} {GAPS}"


def template(job: Job, command: str) -> Template:
    return Template.read(command, job, no_flags)


def no_flags(layout: Layout) -> tuple[str, ...]:
    return ("--tp", str(layout.tp), "--pp", str(layout.pp))
