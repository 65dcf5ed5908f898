"""Bytes that autograd keeps for the backward pass, storage by storage."""

from collections.abc import Callable, Iterable
from typing import Any

from torch.autograd.graph import saved_tensors_hooks


def saved_bytes(forward: Callable[[], Any], leave_out: Iterable[Any] = ()) -> int:
    """Return the bytes that a forward pass keeps for its backward pass [bytes].

    Each storage counts once, whole, however many views of it are kept: a view keeps all of it
    alive. What is inside a checkpoint counts as what the checkpoint keeps, its inputs.

    Parameters
    ----------
    forward
        Runs the pass. Its result is kept alive until all is counted.
    leave_out
        Tensors whose storages do not count, such as parameters and tables that all layers share.

    Examples
    --------
    The exponential function keeps its result, 32-bit here:

    >>> import torch
    >>> x = torch.ones(10, requires_grad=True)
    >>> saved_bytes(lambda: x.exp())
    40
    """
    without = {tensor.untyped_storage()._cdata for tensor in leave_out}
    found: dict[int, Any] = {}  # holds on to the storages, so that no address is used twice

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        found[storage._cdata] = storage
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        result = forward()
    total: int = sum(storage.nbytes() for key, storage in found.items() if key not in without)
    del result
    return total
