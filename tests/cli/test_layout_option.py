from dataclasses import replace

import pytest

from plan3d.cli.layout_option import read_layout
from plan3d.cli.words import as_option
from plan3d.planner.result import Job
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import FIELDS, Layout, Order, Recompute, Schedule
from plan3d.simulator.software import Software
from tests.planner.jobs import job as a_job


def job(gpus: int, software: Software) -> Job:
    return replace(a_job(gpus), software=software)


def test_what_is_left_out_follows_from_the_rest(software: Software) -> None:
    layout = read_layout("tp=8, pp=4, vpp=2, zero=1, mb=2", job(64, software))
    assert layout == Layout(
        tp=8, pp=4, dp=2, vpp=2, micro_batch=2, zero=1, shard=2, sp=1,
        schedule=Schedule.INTERLEAVED,
    )  # fmt: skip


def test_what_is_given_is_taken(software: Software) -> None:
    text = "tp=2,dp=3,sp=off,recompute=FULL,schedule=1f1b,offload=0.5"
    assert read_layout(text, job(64, software)) == Layout(
        tp=2, dp=3, recompute=Recompute.FULL, offload=0.5
    )


def test_every_axis_survives_the_round_trip(software: Software) -> None:
    layout = Layout(
        tp=2, pp=3, dp=4, cp=5, ep=6, etp=7, vpp=8, micro_batch=9, zero=2, shard=10, sp=1,
        recompute=Recompute.BLOCK, recompute_layers=11, schedule=Schedule.INTERLEAVED,
        cp_all_to_all=1, tp_overlap=0, dp_overlap=0, pp_overlap=0, offload=0.25,
        order=Order.TP_CP_EP_PP_DP,
    )  # fmt: skip
    assert len({getattr(layout, name) == getattr(Layout(), name) for name in FIELDS}) == 1
    assert read_layout(as_option(layout), job(120, software)) == layout


@pytest.mark.parametrize("name", ["sp", "zero", "vpp"])
def test_a_default_against_the_rule_survives_too(software: Software, name: str) -> None:
    base = Layout(tp=2, pp=2, dp=2, sp=1, zero=1, shard=2, vpp=2, schedule=Schedule.INTERLEAVED)
    layout = replace(base, **{name: getattr(Layout(), name)})  # type: ignore[arg-type]
    assert read_layout(as_option(layout), job(8, software)) == layout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tq=8", "no axis 'tq'; did you mean tp"),
        ("tp", "'tp' does not fix an axis; write it like tp=8"),
        ("tp=1.5", "tp is '1.5', but must be a whole number from 1"),
        ("tp=-1", "tp is '-1', but must be a whole number from 1"),
        ("tp=0", "tp is '0', but must be a whole number from 1"),
        ("tp=1e99", "tp is '1e99', but must be a whole number from 1"),
        ("tp=٣", "does not fix an axis"),
        ("tp=2,tp=4", "tp is given twice"),
        ("recompute=all", "no recompute 'all'"),
        ("zero=4", "zero is '4', but must be a whole number from 0 to 3"),
        ("offload=2", "offload is '2', but must be a number from 0 to 1"),
    ],
)
def test_a_wrong_text_is_refused(software: Software, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_layout(text, job(64, software))
    assert message in str(caught.value)
