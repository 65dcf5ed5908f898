"""One full report of a small job with a hostile name, for all tests of pages."""

from dataclasses import replace

import pytest

from plan3d.cli.case import Case
from plan3d.cli.inputs import question
from plan3d.cli.report import of_search
from plan3d.cli.study import Study, study
from plan3d.planner.constraints import parse_fix
from plan3d.planner.exhaustive import search

HOSTILE = "</script><script>alert(1)</script><img src=http://x.example/ onerror=alert(2)>\u202e\x07"


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def full() -> Study:
    asked = question(model="gpt125m", gpus=8)
    job = replace(asked.job, model=replace(asked.job.model, name=HOSTILE))
    asked = replace(asked, job=job, options=f"--model '{HOSTILE}' --gpus 8")
    constraints = (parse_fix("pp=2"),)
    result = search(job, constraints=constraints, top=40)
    case = Case(
        question=asked, result=result, framework="megatron", constraints=constraints,
        command=f"plan3d search {asked.options}",
    )  # fmt: skip
    return study(case, of_search(asked, result))
