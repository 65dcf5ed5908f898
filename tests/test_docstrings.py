"""Every public formula shows its equation and the unit of each argument. (After CalebBell/fluids.)

Private helpers (a leading underscore) are glue between formulas and are left to their authors.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator

import pytest

import plan3d.simulator
from plan3d.simulator.numeric import Numeric

PARAMETER = re.compile(r"^(\w+)\n((?:    .*\n?)+)", re.MULTILINE)
ELSEWHERE = re.compile(r"are\s+those\s+of\s+`(\w+)`")


def formulas() -> Iterator[Callable[..., Numeric]]:
    for info in pkgutil.iter_modules(plan3d.simulator.__path__, "plan3d.simulator."):
        module = importlib.import_module(info.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            returns = inspect.signature(function).return_annotation
            here = function.__module__ == info.name and not name.startswith("_")
            if here and returns == Numeric:
                yield function


FORMULAS = list(formulas())
parametrize = pytest.mark.parametrize(
    "formula", FORMULAS, ids=[f"{f.__module__}.{f.__name__}" for f in FORMULAS]
)


@parametrize
def test_a_formula_states_its_unit_and_equation(formula: Callable[..., Numeric]) -> None:
    doc = inspect.getdoc(formula) or ""
    assert re.search(r"\[\S+\]\.$", doc.splitlines()[0]), "the summary ends in the unit: '... [s].'"
    assert ".. math::" in doc, "the equation is shown"


@parametrize
def test_a_formula_documents_its_parameters(formula: Callable[..., Numeric]) -> None:
    doc = inspect.getdoc(formula) or ""
    if "Parameters\n-" not in doc:
        other = ELSEWHERE.search(doc)
        assert other, "arguments are documented here or by reference"
        assert hasattr(inspect.getmodule(formula), other[1]), f"{other[1]} is not there"
        return
    section = doc.split("Parameters\n----------\n")[1].split("\n\n")[0]
    documented = dict(PARAMETER.findall(section + "\n"))
    signature = inspect.signature(formula)
    assert list(documented) == list(signature.parameters)
    for name, text in documented.items():
        if signature.parameters[name].annotation == Numeric:
            assert re.search(r"\[\S+\]", text), f"{name} has no unit"


def test_there_are_formulas() -> None:
    assert len(FORMULAS) > 20
