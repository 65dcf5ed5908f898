import pytest

from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.workload import (
    OPTIMIZERS,
    PRECISIONS,
    Workload,
    optimizer_named,
    precision_named,
)


def test_tokens_of_a_step() -> None:
    """GPT-3 175B: 3.2 million tokens (arXiv:2005.14165, table 2.1)."""
    assert Workload(seq=2048, global_batch=1536).tokens == 3_145_728


@pytest.mark.parametrize("name", ["seq", "global_batch"])
@pytest.mark.parametrize("value", [0, -5, 2.5, 10**10, "8"])
def test_a_bad_batch_is_named(name: str, value: int) -> None:
    good = {"seq": 2048, "global_batch": 512}
    with pytest.raises(InputError, match=f"{name} is {value!r}, but must be a whole number"):
        Workload(**(good | {name: value}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("precision", "per_parameter"),
    [("bf16", 2 + 4 + 8), ("fp16", 2 + 4 + 8), ("bf16-pure", 2 + 0 + 4), ("fp32", 4 + 0 + 8)],
)
def test_weights_masters_and_adam(precision: str, per_parameter: float) -> None:
    """Mixed precision: 14 bytes and the gradient (ZeRO, arXiv:1910.02054, section 3.1)."""
    found, adam = precision_named(precision), optimizer_named("adam")
    states = adam.states * (adam.state_bytes or found.state_bytes)
    assert found.weight_bytes + found.master_bytes + states == per_parameter


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_names_are_those_of_the_values(name: str) -> None:
    assert optimizer_named(name).name == name


def test_every_precision_has_its_name_and_a_peak() -> None:
    for name, precision in PRECISIONS.items():
        assert precision.name == name
        assert precision.matmul in {"bf16", "fp16", "fp8", "tf32", "fp32"}


def test_unknown_names_get_help() -> None:
    with pytest.raises(InputError, match=r"no precision 'bf-16'; did you mean .*bf16"):
        precision_named("bf-16")
    with pytest.raises(InputError, match=r"no optimizer 'adamm'; did you mean adam"):
        optimizer_named("adamm")


def test_nothing_near_lists_what_there_is() -> None:
    assert str(unknown("model", "zzz", ["b", "a"])) == "no model 'zzz'; there are: a, b"
