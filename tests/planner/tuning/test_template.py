import sys

import pytest

from plan3d.planner.result import Job
from plan3d.planner.tuning import Template
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, Recompute

LAYOUT = Layout(tp=2, pp=4, dp=2, micro_batch=1, recompute=Recompute.FULL)


def flags(layout: Layout) -> tuple[str, ...]:
    return ("--tensor", str(layout.tp), "--name", "two words")


def words(job: Job, command: str) -> tuple[str, ...]:
    return Template.read(command, job, flags).filled(LAYOUT)


def test_flags_alone_become_words_of_their_own(job: Job) -> None:
    assert words(job, "env {flags} --log 'a b'") == (
        "env", "--tensor", "2", "--name", "two words", "--log", "a b",
    )  # fmt: skip


def test_flags_inside_a_word_are_quoted_for_a_shell(job: Job) -> None:
    assert words(job, "sh -c 'train {flags} 2>&1'")[2] == "train --tensor 2 --name 'two words' 2>&1"


def test_axes_and_the_job_fill_their_gaps(job: Job) -> None:
    found = words(job, "env --tp={tp} --pp {pp} {recompute} --gpus {gpus} --nodes {nodes} {seq}")
    assert found == ("env", "--tp=2", "--pp", "4", "full", "--gpus", "16", "--nodes", "2", "8192")


def test_braces_of_the_shell_stay(job: Job) -> None:
    assert words(job, "sh -c 'echo ${HOME} {tp}'")[2] == "echo ${HOME} 2"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "empty"),
        ("env 'unclosed {tp}", "No closing quotation"),
        ("env --tp 2", "the same for every layout"),
        ("env --gpus {gpus}", "the same for every layout"),
        ("env {tpp}", r"no gap 'tpp'; did you mean tp\b.*\?"),
        ("./no-such-program {flags}", "./no-such-program does not exist"),
        ("nosuchprogram {flags}", "nosuchprogram does not exist"),
    ],
)
def test_a_command_that_cannot_work_is_refused(job: Job, command: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Template.read(command, job, flags)


def test_a_file_that_cannot_be_executed_is_named(job: Job, tmp_path: object) -> None:
    script = f"{tmp_path}/train.sh"
    with open(script, "w") as file:  # noqa: PTH123
        file.write("#!/bin/sh\n")
    with pytest.raises(InputError, match=r"train\.sh is not executable"):
        Template.read(f"{script} {{flags}}", job, flags)
    assert sys.executable in Template.read(f"{sys.executable} {{tp}}", job, flags).words
