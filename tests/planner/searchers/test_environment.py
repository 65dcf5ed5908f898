"""The environment for other libraries' agents, by Gymnasium's own checks and a stock agent."""

import warnings
from math import log

import numpy as np
import pytest

from plan3d.planner.searchers.boxes import closed_form
from plan3d.planner.searchers.grid import grid_from
from plan3d.planner.searchers.protocols import Trial
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, LayoutTable
from tests.planner.searchers.spaces import JOB, Watched, small

gymnasium = pytest.importorskip("gymnasium")

from plan3d.planner.searchers.environment import LayoutEnv  # noqa: E402  after the skip


def test_gymnasium_finds_no_fault() -> None:
    from gymnasium.utils.env_checker import check_env  # noqa: PLC0415

    check_env(LayoutEnv(small(), closed_form(JOB)), skip_render_check=True)


def test_masked_decisions_reach_every_layout_and_pay_its_step() -> None:
    env = LayoutEnv(small(), closed_form(JOB))
    rng = np.random.default_rng(0)
    for row in rng.permutation(len(small()))[:20].tolist():
        env.reset()
        for code in small().codes[row]:
            assert env.action_masks()[code]
            seen, reward, ended, cut, info = env.step(code)
        assert (ended, cut) == (True, False)
        assert info["trial"].layout == small().table.row(row)
        assert reward == pytest.approx(-log(info["trial"].time_s))
        assert seen[: len(small().axes)] == pytest.approx(small().points[row])
        assert not env.action_masks().any()
    assert env.history().evaluations == 20


def test_an_action_that_is_not_legal_is_the_nearest_that_is() -> None:
    env = LayoutEnv(small(), closed_form(JOB))
    rng = np.random.default_rng(1)
    for _ in range(30):
        env.reset()
        ended = False
        while not ended:
            action = int(rng.integers(env.action_space.n))
            turn, legal = env._turn, np.flatnonzero(env.action_masks())
            seen, _, ended, _, _ = env.step(np.int64(action))
            taken = np.flatnonzero(np.isclose(np.unique(small().points[:, turn]), seen[turn]))
            assert abs(taken[0] - action) == np.abs(legal - action).min()


def test_what_does_not_run_is_worse_than_what_does() -> None:
    two = grid_from(LayoutTable.of([Layout(dp=8), Layout(dp=8, zero=1), Layout(dp=8, zero=2)]))

    def box(layout: Layout, /) -> Trial:
        times = {0: 1.0, 1: 4.0}
        if layout.zero not in times:
            return Trial(layout=layout, over_bytes=2.0**30)
        return Trial(layout=layout, time_s=times[layout.zero])

    env, rewards = LayoutEnv(two, box), []
    for action in range(3):
        env.reset()
        rewards.append(env.step(np.int64(action))[1])
    assert rewards[:2] == pytest.approx([0.0, -log(4.0)])
    assert rewards[2] < -log(8.0)


def test_a_spent_budget_cuts_episodes_of_new_layouts() -> None:
    box = Watched()
    env = LayoutEnv(small(), box, budget=1)
    ends = []
    for row in (0, 0, len(small()) - 1):
        env.reset()
        for code in small().codes[row]:
            _, _, ended, cut, _ = env.step(code)
        ends.append((ended, cut))
    assert ends == [(True, False), (True, False), (False, True)]
    assert sum(box.asked.values()) == 1


def test_one_layout_leaves_nothing_to_decide() -> None:
    with pytest.raises(InputError, match="nothing to decide"):
        LayoutEnv(grid_from(LayoutTable.of([Layout(dp=8)])), Watched())


def test_a_stock_agent_learns() -> None:
    """PPO of Stable-Baselines3, as it comes: its layouts get better than those it began with."""
    pytest.importorskip("torch")
    library = pytest.importorskip("stable_baselines3")
    rewards: list[float] = []

    class Noted(gymnasium.Wrapper):  # type: ignore[misc,name-defined]
        def step(self, action: np.int64) -> tuple[object, ...]:
            found = super().step(action)
            if found[2]:
                rewards.append(float(found[1]))
            return found

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library, not of ours
        agent = library.PPO(
            "MlpPolicy", Noted(LayoutEnv(small(), closed_form(JOB))), n_steps=128, batch_size=64,
            learning_rate=3e-3, seed=0, device="cpu",
        )  # fmt: skip
        agent.learn(1024)
    tenth = len(rewards) // 10
    assert tenth >= 10
    assert np.mean(rewards[-tenth:]) > np.mean(rewards[:tenth]) + 0.5
