"""What zero-bubble schedules save, in closed form, against the schedules played."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.simulator.events import StageCosts, play
from plan3d.simulator.layout import Schedule
from plan3d.simulator.pipeline import idle_saved_s
from plan3d.simulator.schedules.table import build


@given(
    pp=st.integers(2, 8),
    m=st.integers(1, 24),
    weight=st.floats(0.1, 1.0),
    schedule=st.sampled_from([Schedule.ZB_H1, Schedule.ZB_H2]),
)
def test_what_zero_bubbles_save_is_what_the_played_schedules_save(
    pp: int, m: int, weight: float, schedule: Schedule
) -> None:
    """F = I = 1 and W <= 1: against 1F1B, played; ZB-H2 in a rank's own time."""
    costs = StageCosts(forward_s=1.0, backward_input_s=1.0, backward_weight_s=weight)
    plain = play(build("one_f_one_b", pp, m), costs).makespan_s
    line = play(build(schedule.name.lower(), pp, m), costs)
    step = line.span_s.max() if schedule == Schedule.ZB_H2 else line.makespan_s
    saved = idle_saved_s(2 + weight, weight, pp, 1, m, schedule)
    whole = schedule == Schedule.ZB_H1 or m >= 2 * pp - 1
    assert plain - step == pytest.approx(saved) if whole else plain - step >= 0
