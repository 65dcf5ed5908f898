"""The options that commands share."""

from inspect import signature
from typing import Annotated, Any

import pytest
import typer

from plan3d.cli.asking import OPTIONS, STEP, Ask, asks, offers
from plan3d.cli.question import Question
from plan3d.planner import frameworks

ASKED: list[tuple[Question, int]] = []


def a_command(asked: Question, times: Annotated[int, typer.Option(help="Of its own.")] = 1) -> None:
    """Ask."""
    ASKED.append((asked, times))


def ran(names: Any, *args: str) -> tuple[Question, int]:
    application = typer.Typer(add_completion=False)
    application.command()(asks(names)(a_command))
    with pytest.raises(SystemExit) as left:
        application(args)
    assert left.value.code == 0
    return ASKED.pop()


def test_a_command_gets_the_question_and_its_own_options() -> None:
    asked, times = ran(
        tuple(OPTIONS), "--model", "gpt13b", "--gpus", "64", "--framework", "nemo",
        "--tokens", "1B", "--times", "3",
    )  # fmt: skip
    assert (asked.job.model.name, asked.job.gpus, asked.framework) == ("gpt13b", 64, "nemo")
    assert (asked.tokens, times) == (1e9, 3)


def test_what_is_not_said_is_the_default_of_the_question() -> None:
    asked, times = ran(STEP, "--model", "gpt13b", "--gpus", "64")
    assert (asked.framework, asked.fidelity, times) == (frameworks.DEFAULT, "analytical", 1)
    assert asked.options == "--model gpt13b --gpus 64"


def test_an_option_that_was_not_given_to_it_is_unknown() -> None:
    application = typer.Typer(add_completion=False)
    application.command()(asks(STEP)(a_command))
    with pytest.raises(SystemExit) as left:
        application(["--model", "gpt13b", "--gpus", "64", "--tokens", "1B"])
    assert left.value.code == 2


def test_a_command_may_say_the_rest_of_the_question_itself() -> None:
    def own(ask: Ask, gpus: Annotated[int, typer.Option()] = 1) -> None:
        ASKED.append((ask(gpus=8 * gpus), gpus))

    application = typer.Typer(add_completion=False)
    application.command()(offers(("model", "seq"))(own))
    with pytest.raises(SystemExit):
        application(["--model", "gpt13b", "--seq", "1024", "--gpus", "3"])
    asked, gpus = ASKED.pop()
    assert (asked.job.gpus, asked.job.work.seq, gpus) == (24, 1024, 3)


def test_its_own_options_stand_where_the_shared_of_that_name_would() -> None:
    def own(ask: Ask, times: int = 1, gpus: int = 1) -> None:
        raise NotImplementedError

    names = list(signature(offers(("model", "seq"))(own)).parameters)
    assert names == ["model", "gpus", "seq", "times"]


def test_its_help_is_its_own() -> None:
    assert asks()(a_command).__doc__ == "Ask."
