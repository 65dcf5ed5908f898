import pytest

from plan3d.cli.words import MEMORY, TIME, as_option, brief, plain, seconds, short, spelled
from plan3d.simulator.layout import Layout, Order, Recompute, Schedule
from plan3d.simulator.result import EstimateTable


def test_every_term_has_words() -> None:
    assert tuple(TIME) == EstimateTable.TIME
    assert tuple(MEMORY) == EstimateTable.MEMORY


@pytest.mark.parametrize(
    ("value_s", "text"),
    [(12.345, "12.35 s"), (1, "1 s"), (0.0125, "12.5 ms"), (5e-6, "5 us"), (0, "0 s")],
)
def test_seconds(value_s: float, text: str) -> None:
    assert seconds(value_s) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(300e9, "300 B"), (1.5e12, "1.5 T"), (174_591_683_584, "174.6 B"), (12, "12")],
)
def test_short(value: float, text: str) -> None:
    assert short(value) == text


def test_a_layout_in_brief_says_what_matters() -> None:
    layout = Layout(
        tp=8, pp=16, dp=8, vpp=6, zero=1, shard=8, sp=1,
        recompute=Recompute.SELECTIVE, schedule=Schedule.INTERLEAVED,
    )  # fmt: skip
    assert brief(layout) == "tp8 pp16 dp8 vpp6 mb1 zero1 sp selective"


def test_a_layout_in_brief_names_hybrid_sharding_and_blocks() -> None:
    layout = Layout(dp=16, zero=3, shard=8, recompute=Recompute.BLOCK, recompute_layers=2)
    assert brief(layout) == "tp1 pp1 dp16 mb1 zero3/8 recompute-2"


def test_a_layout_as_an_option() -> None:
    layout = Layout(tp=8, dp=2, micro_batch=4, zero=1, shard=2, recompute=Recompute.FULL)
    assert as_option(layout) == "tp=8,pp=1,dp=2,micro_batch=4,sp=0,zero=1,shard=2,recompute=full"


def test_what_is_not_finite_is_nothing() -> None:
    assert [plain(x) for x in (float("nan"), float("inf"), 1.5, "a")] == [None, None, 1.5, "a"]


def test_names_are_spelled() -> None:
    layout = spelled(Layout(order=Order.TP_CP_EP_PP_DP, recompute=Recompute.FULL))
    assert (layout["order"], layout["recompute"]) == ("tp-cp-ep-pp-dp", "full")
