"""Real steps on the CPU: their peak memory against the simulator's, to the byte."""

from dataclasses import replace

import pytest

from plan3d import hardware_profiles
from plan3d.hardware_profiles.whole_step.compare import predict
from plan3d.hardware_profiles.whole_step.grid import CPU, SOFTWARE, Case
from plan3d.simulator.context import Context
from plan3d.simulator.layout import LayoutTable, Recompute
from plan3d.simulator.memory import logits_bytes
from plan3d.simulator.workload import Workload

torch = pytest.importorskip("torch")

from plan3d.hardware_profiles.whole_step.decoder import cross_entropy  # noqa: E402
from plan3d.hardware_profiles.whole_step.saved import saved_bytes  # noqa: E402
from plan3d.hardware_profiles.whole_step.tracker import Tracker  # noqa: E402
from plan3d.hardware_profiles.whole_step.training import Training, measure  # noqa: E402

CLUSTER = hardware_profiles.load("dgx-a100-80g")
LONG = replace(CPU[0], seq=512, micro_batch=1, layers=6, heads=2, kv_heads=1, ffn=640)
CASES = (*CPU, LONG, replace(LONG, recompute=Recompute.FULL))


def context(case: Case) -> Context:
    return Context(
        model=case.model,
        work=Workload(seq=case.seq, global_batch=case.micro_batch),
        cluster=CLUSTER,
        software=hardware_profiles.software(SOFTWARE[case.style]),
    )


def left_out_bytes(case: Case) -> int:
    """What a step holds at its peak beside what the simulator has terms for."""
    tokens, llama = case.micro_batch * case.seq, case.style == "llama"
    # Statistics of a norm: 4 bytes a token. Norms that are replayed have none at that time.
    norms = 1 + (0 if case.recompute == Recompute.FULL else 2 * case.layers)
    statistics = 4 * tokens * norms
    # Tokens and targets; where positions are looked up, their indices, else cosine and sine.
    batch = 2 * 8 * tokens
    positions = 2 * 2 * case.seq * case.model.head_dim if llama else 8 * case.seq
    # The loss and the sum of its weights, and the step counter of each unit's Adam: 32 bits each.
    scalars = 4 * (2 + case.layers + 1)
    return statistics + batch + positions + scalars


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_peak_of_a_step_is_understood_to_the_byte(case: Case) -> None:
    """The peak is in the backward pass of the loss, where all that is kept is still there.

    The working set of a block that is replayed is made only after the logits are gone.
    """
    predicted = predict(case, CLUSTER).peak_bytes
    measured = measure(case, "cpu").peak_bytes
    assert measured is not None
    assert measured == round(predicted + left_out_bytes(case))
    assert abs(predicted / measured - 1) < 0.01


@pytest.mark.parametrize("case", [CPU[0], CPU[-1]], ids=str)
def test_the_loss_takes_what_the_simulator_says(case: Case) -> None:
    """12 bytes a logit in the backward pass; 4 wait for it: the 32-bit result of log_softmax."""
    tokens = case.micro_batch * case.seq
    size = {"requires_grad": True, "dtype": torch.bfloat16}
    with Tracker() as tracker:
        stream = torch.ones(case.micro_batch, case.seq, case.hidden, **size)
        weight = torch.ones(case.vocab, case.hidden, **size)
        targets = torch.zeros(case.micro_batch, case.seq, dtype=torch.int64)
        before = tracker.live_bytes
        loss = cross_entropy(stream, weight, targets)
        scalars = 2 * 4  # the loss, and the sum of its weights
        assert tracker.live_bytes - before == 4 * tokens * case.vocab + scalars
        tracker.reset()
        loss.backward()
        peak = tracker.peak_bytes - before
    table = LayoutTable.of([case.layout])
    assert peak == logits_bytes(context(case), table, case.vocab)[0] + scalars
    kept = saved_bytes(lambda: cross_entropy(stream, weight, targets), [weight])
    small = stream.nbytes + targets.nbytes + 4
    assert kept == 4 * tokens * case.vocab + small


def test_model_states_are_sixteen_bytes_a_parameter() -> None:
    """2 + 2 of weights and gradients, 4 + 4 + 4 of master weights and Adam's two states."""
    case = CPU[0]
    with Tracker() as tracker:
        training = Training(case, "cpu", torch.bfloat16)
        training.step()
        held = tracker.live_bytes
    parameters = sum(p.numel() for p in training.decoder.parameters())
    batch = training.tokens.nbytes + training.targets.nbytes
    counters = 4 * (case.layers + 1)
    assert held == 16 * parameters + batch + counters


def test_a_step_is_that_of_adamw_on_32_bit_weights() -> None:
    """Against torch's own AdamW, one parameter at a time, on the gradients of the same loss."""
    torch.manual_seed(0)
    training = Training(replace(CPU[0], layers=2, seq=32), "cpu", torch.bfloat16)
    parameters = list(training.decoder.parameters())
    masters = [p.detach().float().requires_grad_() for p in parameters]
    adam = torch.optim.AdamW(masters, lr=1e-4)
    for _ in range(2):
        training.forward().backward()
        for master, parameter in zip(masters, parameters, strict=True):
            master.grad = parameter.grad.float()
        adam.step()
        training.update()
        for master, parameter in zip(masters, parameters, strict=True):
            torch.testing.assert_close(parameter.detach(), master.detach().bfloat16())
            assert not parameter.grad.any()


def test_training_on_one_batch_learns_it() -> None:
    torch.manual_seed(0)
    training = Training(replace(CPU[-3], layers=2, seq=32, micro_batch=1), "cpu", torch.bfloat16)
    before = training.forward().item()
    for _ in range(10):
        training.step()
    assert training.forward().item() < before


def test_a_cpu_tells_no_time() -> None:
    found = measure(replace(CPU[0], layers=1, seq=16), "cpu")
    assert (found.step_s, found.forward_s, found.backward_s, found.update_s) == (None,) * 4
    assert found.reserved_bytes is None
    assert not found.out_of_memory
