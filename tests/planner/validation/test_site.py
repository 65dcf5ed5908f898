from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from plan3d import hardware_profiles
from plan3d.planner.validation import published_runs
from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.prediction import predict
from plan3d.planner.validation.rows import Case, case_of
from plan3d.planner.validation.site import SCALARS, apply, fit_site
from plan3d.simulator.errors import InputError
from plan3d.simulator.estimate import estimate_table
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.software import Software

DGX = hardware_profiles.load("dgx-h100")


class Shipped:
    def cluster(self, gpu: str, gpus_per_node: int, network: str) -> Cluster:
        return hardware_profiles.compose(gpu=gpu, gpus_per_node=gpus_per_node, network=network)

    def software(self, name: str) -> Software:
        return hardware_profiles.software(name)


def cases(suite: str) -> list[Case]:
    """Return the timed cases of a suite in one layout each, so that a scalar changes no choice."""
    found = []
    for run in published_runs().of_suite(suite).rows:
        try:
            case = case_of(run, Shipped())
        except SkipError:
            continue
        found.append(replace(case, layouts=case.layouts[:1]))
    first = found[0].question  # one question is one table, which is fast
    return [case for case in found if case.measured_s and case.question == first]


def as_if(found: Sequence[Case], noise: float = 0.0, seed: int = 0, **scalars: float) -> list[Case]:
    """Return cases whose measured times are those of a site with some scalars."""
    moved = [replace(c, cluster=apply(c.cluster, scalars)) for c in found]
    by_id = {p.run.id: p.predicted_s for p in predict(moved, estimate_table)}
    wobble = np.exp(noise * np.random.default_rng(seed).standard_normal(len(found)))
    return [
        replace(c, measured_s=by_id[c.run.id] * float(w))
        for c, w in zip(found, wobble, strict=True)
    ]


def test_a_site_of_slow_gpus_is_found() -> None:
    fit = fit_site(as_if(cases("vtrain-multi")[:12], kernels=1.2))
    assert fit.scalars["kernels"][0] == pytest.approx(1.2, rel=0.01)
    assert fit.before > 0.1
    assert fit.after < 0.01
    assert fit.cluster.gpu.gemm.efficiency == pytest.approx(
        cases("vtrain-multi")[0].cluster.gpu.gemm.efficiency / 1.2, rel=0.01
    )


def test_a_slow_network_is_told_from_slow_gpus() -> None:
    fit = fit_site(as_if(cases("vtrain-multi")[:12], kernels=1.1, network=1.8))
    assert fit.scalars["kernels"][0] == pytest.approx(1.1, rel=0.02)
    assert fit.scalars["network"][0] == pytest.approx(1.8, rel=0.05)


def test_a_site_like_the_profile_needs_no_scalar() -> None:
    """Noise of 10 % is no site: at two standard errors at most one seed in a few may mislead."""
    runs = cases("vtrain-multi")[:8]
    fits = [fit_site(as_if(runs, noise=0.1, seed=seed)) for seed in range(5)]
    quiet = [fit for fit in fits if not fit.scalars]
    assert len(quiet) >= 4
    for fit in quiet:
        assert len(fit.left_out) >= len(SCALARS)
        assert fit.before == fit.after
        assert fit.cluster == runs[0].cluster


def test_never_more_scalars_than_runs_bear() -> None:
    five = as_if(cases("vtrain-multi")[:5], kernels=1.2, network=2.0)
    fit = fit_site(five)
    assert list(fit.scalars) == ["kernels"]
    assert "network: 5 runs are too few for 2 scalars" in fit.left_out
    with pytest.raises(InputError, match="2 runs with a time; 4 are needed"):
        fit_site(five[:2])


def test_one_site_at_a_time() -> None:
    one, *others = as_if(cases("vtrain-multi")[:6])
    elsewhere = replace(one, cluster_name=one.cluster_name._replace(network="ndr-8x400"))
    with pytest.raises(InputError, match=r"runs of 2 clusters .*; give those of one at a time"):
        fit_site([elsewhere, *others])


@pytest.mark.parametrize("name", SCALARS)
def test_a_scalar_of_one_changes_nothing_and_shares_stay_shares(name: str) -> None:
    assert apply(DGX, {name: 1.0}) == DGX
    fast = apply(DGX, {name: 0.4})
    assert fast.gpu.gemm.efficiency <= 1
    assert fast.network.efficiency <= 1
    slow = apply(DGX, {name: 2.0})
    assert slow != DGX
