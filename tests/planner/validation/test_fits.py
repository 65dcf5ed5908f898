"""What benchmarks/fit_software.py believes of a generation from runs of others; fits of memory."""

import importlib
import math
import runpy
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plan3d import hardware_profiles
from plan3d.hardware_profiles.parts import part_names
from plan3d.planner.validation import published_runs
from plan3d.simulator.placement import Group

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
PULL = math.log(2) / math.log(1.25)
"""Standard deviation of seconds per operation, over that of a generation's own. [1]"""


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("fit_pooled")


def known(fits: Any, owner: str, field: str, x: float) -> Any:
    """A fit whose runs say one constant exactly, in widths, and nothing of the others."""
    names = [c.field for c in fits.constants(owner)]
    precision = np.diag([1e9 if name == field else 0.0 for name in names])
    return fits.Fit(
        owner=owner, values={}, errors={}, cases=(), precision=precision,
        pushed=precision @ np.full(len(names), x),
    )  # fmt: skip


def of(fits: Any, owner: str, field: str, belief: Any) -> tuple[float, float]:
    """Mean and variance of a constant."""
    i = [c.field for c in fits.constants(owner)].index(field)
    return float(belief.mean[i]), float(belief.covariance[i, i])


def test_nothing_is_known_before(fits: Any) -> None:
    mean, variance = of(fits, "megatron-2020", "dispatch_s", fits.believed("megatron-2020", []))
    assert (mean, variance) == pytest.approx((0.0, 1 + PULL**2))
    assert np.allclose(
        fits.believed("megatron-2020", []).covariance,
        fits.Belief.before("megatron-2020").covariance,
    )


def test_others_say_what_is_common(fits: Any) -> None:
    """x = p z + e: of a known x the share p^2 / (1 + p^2) is z's, and that much of z is left."""
    belief = fits.believed("megatron-2020", [known(fits, "nanotron-2024", "dispatch_s", 2.0)])
    share = PULL**2 / (1 + PULL**2)
    expected = (2 * share, 1 + share)
    assert of(fits, "megatron-2020", "dispatch_s", belief) == pytest.approx(expected, rel=1e-6)
    assert of(fits, "megatron-2020", "straggler", belief) == pytest.approx((0.0, 1.0))


def test_nobody_says_anything_of_itself(fits: Any) -> None:
    own = known(fits, "megatron-2020", "dispatch_s", 2.0)
    assert of(fits, "megatron-2020", "dispatch_s", fits.believed("megatron-2020", [own]))[0] == 0


def test_kinds_do_not_mix(fits: Any) -> None:
    belief = fits.believed("megatron-2020", [known(fits, "fsdp-2023", "elementwise_traffic", 2.0)])
    assert of(fits, "megatron-2020", "elementwise_traffic", belief)[0] == pytest.approx(0.0)


@pytest.mark.parametrize("field", ["elementwise_traffic", "dispatch_s", "straggler"])
def test_a_constant_stands_where_it_was_thought(fits: Any, field: str) -> None:
    one = next(c for c in fits.constants("megatron-2020") if c.field == field)
    assert one.value(0.0) == one.thought
    low, high = one.limits()
    assert low < 0 < high
    assert one.value(low) >= (1 - 1e-6 if field == "elementwise_traffic" else 0)


def test_late_tensors_are_what_a_queue_of_launches_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,024 launches, and of a block 32 kernels and 4 collectives for two tensors."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    counted = importlib.import_module("count_operations").late_most()
    assert counted == pytest.approx(1024 * 2 / 36)
    assert hardware_profiles.software("nanotron-2024").late_most == round(counted)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("fit_memory")


def test_what_is_cached_is_one_constant_of_all_generations(memory: Any) -> None:
    """All have the value of the fit but XLA's, and no profile another one."""
    values = {
        name: hardware_profiles.software(name).memory_cached for name in part_names("software")
    }
    assert values.pop("jax-2024") == 0
    assert len(set(values.values())) == 1
    (said,) = memory.THOUGHT["memory"]
    own = [tomllib.loads((memory.PROFILES / "software" / f"{n}.toml").read_text()) for n in values]
    having = {n for n, one in zip(values, own, strict=True) if "memory_cached" in one}
    assert having == set(said["of"])


def test_memory_is_fitted_towards_what_was_thought(memory: Any) -> None:
    """Without a run of a pipeline nothing is learnt; a suite's runs say as much as ten."""
    (constant,) = memory.memory_constants()
    cases = memory.cases_of(published_runs().of_suite("bloom"))
    weighed = [case for case in cases if case.measured_bytes]
    alone = memory.fit([case for case in weighed if case.layouts[0].pp == 1], constant)
    assert (alone.value, alone.error, len(alone.cases)) == pytest.approx(
        (constant.thought, constant.width, 0), abs=1e-3
    )
    found = memory.fit(weighed, constant)
    assert 0 < found.error < constant.width
    assert found.value > constant.thought


def test_a_latency_is_what_the_law_was_slow_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that measured what the law says has the profile's; one with twice it, twice."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    script = importlib.import_module("fit_network")
    cluster = hardware_profiles.compose(gpu="h100-80g-sxm", network="efa-p5")
    job = replace(published_runs().of_suite("ultra").rows[0], gpus=128)
    group = Group(size=128, local=8)
    for key, _, collective, passes in script.FITTED:
        for factor in (1.0, 2.0):
            latency_s = factor * getattr(cluster.network, f"{key}_s")
            slow = replace(cluster, network=replace(cluster.network, **{f"{key}_s": latency_s}))
            taken_s = float(collective(2.0**28, group, slow))
            bus_gb_s = passes * 2**28 * (127 / 128) / taken_s / 1e9
            found = script.latency_s(cluster, key, job, bus_gb_s, collective, passes)
            assert found == pytest.approx(latency_s, rel=1e-6)


def test_what_rests_on_one_suite_is_told_from_its_source() -> None:
    found = runpy.run_path(str(BENCHMARKS / "constants_table.py"))["FITTED"]
    source = (
        "benchmarks/fit_software.py on 9 published runs ({}) and what others of its kind say: "
        "+- 2 ms; before any measurement 0 ms was assumed"
    )
    assert found.search(source.format("mine")).groups() == ("mine", "2 ms", "0 ms")
    assert found.search(source.format("mine, yours")) is None
