"""The options that ask the question, which most commands share: given to a command in one line."""

from collections.abc import Callable, Collection, Mapping
from functools import partial, wraps
from inspect import Parameter, Signature, signature
from typing import Any, Final, TypeAlias

from plan3d.cli import options
from plan3d.cli.inputs import question
from plan3d.cli.question import Question

Command: TypeAlias = Callable[..., None]
Ask: TypeAlias = partial[Question]
"""`inputs.question` with what the user said: called with the rest, it looks everything up."""

OPTIONS: Final[Mapping[str, Any]] = {
    "model": options.Model,
    "gpus": options.Gpus,
    "hardware": options.Hardware,
    "seq": options.Seq,
    "global_batch": options.GlobalBatch,
    "precision": options.Precision,
    "optimizer": options.Optimizer,
    "fidelity": options.Fidelity,
    "framework": options.Framework,
    "tokens": options.Tokens,
    "price": options.Price,
}
"""By parameter of `inputs.question`, which has their defaults."""
STEP: Final = tuple(name for name in OPTIONS if name not in ("fidelity", "tokens", "price"))
"""Those of a command that is about one step by the analytical model."""
RUN: Final = (*STEP, "tokens", "price")
"""Those of a command that is about a whole run by it."""
WORK: Final = ("seq", "global_batch", "precision", "optimizer")
"""Those of what a step works on."""


def asks(names: Collection[str] = tuple(OPTIONS)) -> Callable[[Command], Command]:
    """Return what gives a command these options, before its own, and hands it the `Question`."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(ask: Ask, **own: Any) -> None:
            command(ask(), **own)

        return offers(names)(run)

    return decorate


def offers(names: Collection[str]) -> Callable[[Command], Command]:
    """Return what gives a command these options, and hands it an `Ask` with what was said.

    Typer reads a command's options from its signature; so the command's first parameter is
    replaced there by the shared options. One of the command's own that has the name of a shared
    one stands where that would.
    """

    def decorate(command: Command) -> Command:
        own = list(signature(command, eval_str=True).parameters.values())[1:]
        defaults = signature(question).parameters
        shared = [
            Parameter(
                name, Parameter.KEYWORD_ONLY, default=defaults[name].default,
                annotation=OPTIONS[name],
            )
            for name in names
        ]  # fmt: skip

        @wraps(command)
        def run(**given: Any) -> None:
            ask = partial(question, **{name: given.pop(name) for name in names})
            command(ask, **given)

        places = {name: place for place, name in enumerate(OPTIONS)}
        both = [*shared, *(param.replace(kind=Parameter.KEYWORD_ONLY) for param in own)]
        both.sort(key=lambda param: places.get(param.name, len(places)))
        run.__signature__ = Signature(both)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in both}
        return run

    return decorate
