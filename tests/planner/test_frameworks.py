import pytest

from plan3d.hardware_profiles import software_names
from plan3d.planner.frameworks import DEFAULT, FRAMEWORKS, lacking, named
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, Schedule


def test_any_is_the_union() -> None:
    every = named("any")
    for framework in FRAMEWORKS.values():
        assert set(framework.zero) <= set(every.zero)
        assert set(framework.schedules) <= set(every.schedules)
        assert set(framework.context) <= set(every.context)
        assert set(framework.recompute) <= set(every.recompute)
        assert framework.tolerates in every.tolerates


def test_every_framework_has_the_plain_schedule() -> None:
    assert all(Schedule.ONE_F_ONE_B in framework.schedules for framework in FRAMEWORKS.values())


def test_an_unknown_framework() -> None:
    with pytest.raises(InputError, match="did you mean megatron"):
        named("megatrom")


def test_the_software_of_every_framework_ships() -> None:
    assert {framework.software for framework in FRAMEWORKS.values()} <= set(software_names())


def test_what_a_framework_lacks_is_named() -> None:
    layout = Layout(tp=2, pp=2, dp=4, zero=2, shard=2, schedule=Schedule.GPIPE)
    assert lacking(named("any"), layout) == ()
    assert lacking(named("nanotron"), layout) == (
        "nanotron has no ZeRO stage 2",
        "nanotron has no hybrid sharding (shard < dp * cp)",
    )
    assert lacking(named("megatron"), layout) == ("megatron has no schedule gpipe",)
    assert lacking(named("deepspeed"), Layout(dp=4, zero=3, shard=2)) == (
        "deepspeed has no hybrid sharding (shard < dp * cp)",
    )
    beside = Layout(dp=2, cp=4, zero=3, shard=2)
    assert lacking(named("megatron"), beside) == ()
    assert lacking(named("torchtitan"), beside) == (
        "torchtitan has no shard that cp does not divide: it shards over all context-parallel "
        "ranks",
    )
    assert lacking(named("torchtitan"), Layout(dp=4, cp=2, zero=3, shard=4)) == ()


def test_the_default_is_a_framework_that_exists() -> None:
    assert named(DEFAULT).name == DEFAULT
