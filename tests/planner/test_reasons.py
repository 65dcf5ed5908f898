"""Two steps of 2 s and 3 s, written down term by term."""

from plan3d.planner.reasons import TERMS, why_behind, why_best, why_on_front
from plan3d.simulator.result import Estimate, EstimateTable, LinkTime, Memory, StepTime

GIB = 2.0**30


def estimate(activations_gib: float = 6.0, **terms_s: float) -> Estimate:
    time = dict.fromkeys(EstimateTable.TIME, 0.0) | terms_s
    memory = dict.fromkeys(EstimateTable.MEMORY, 0.0)
    return Estimate(
        time=StepTime(**time),
        link=LinkTime(**dict.fromkeys(EstimateTable.LINK, 0.0)),
        memory=Memory(
            **(memory | {"activations_bytes": activations_gib * GIB, "context_bytes": 2 * GIB})
        ),
        stage=0, first_stage=Memory(**memory), model_flop=1, hardware_flop=1,
        capacity_bytes=10 * GIB, gpus=1,
        peak_flop_per_s=1, tokens=1,
    )  # fmt: skip


BEST = estimate(matmul_s=1.5, bubble_s=0.3, tp_comm_s=0.2)
SLOW = estimate(2.0, matmul_s=1.5, bubble_s=1.4, tp_comm_s=0.1)


def test_the_best_says_where_its_time_goes() -> None:
    assert why_best(BEST, "time") == "best: 75% matrix products, 15% pipeline bubble, " + (
        "10% TP communication"
    )
    assert why_best(BEST, "memory") == "best: 75% activations, 25% CUDA context"


def test_the_others_say_what_differs_largest_first() -> None:
    assert why_behind(SLOW, BEST, "time") == "+50.0%: +55.0% pipeline bubble, " + (
        "-5.0% TP communication"
    )
    assert why_behind(SLOW, BEST, "memory") == "-50.0%: -50.0% activations"


def test_small_differences_are_not_named() -> None:
    near = estimate(matmul_s=1.508, bubble_s=0.3, tp_comm_s=0.2)
    assert why_behind(near, BEST, "time") == "+0.4%: no term differs by much"


def test_the_front_trades_memory_for_time() -> None:
    assert why_on_front(SLOW, BEST) == "4.0 GiB less for 50.0% more time"


def test_every_term_has_a_name() -> None:
    assert set(TERMS) == {*EstimateTable.TIME, *EstimateTable.MEMORY}
