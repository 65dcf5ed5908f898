"""Bytes of the tensors that are alive, and their peak, where the allocator does not count them.

Every storage counts once, from the operation that returns it until nothing refers to it. What a
kernel allocates and frees inside itself is not seen.
"""

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Tracker(TorchDispatchMode):
    """A mode, ``with Tracker() as tracker:``, that counts the storages made inside it.

    Attributes
    ----------
    live_bytes
        Storages that are alive now. [bytes]
    peak_bytes
        Most that `live_bytes` has been since the start or the last `reset`. [bytes]
    """

    def __init__(self) -> None:
        super().__init__()
        self.live_bytes = 0
        self.peak_bytes = 0
        self._known: dict[int, int] = {}

    def reset(self) -> None:
        """Start the peak again from what is alive now."""
        self.peak_bytes = self.live_bytes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self._meet(tensor.untyped_storage())
        return out

    def _meet(self, storage: Any) -> None:
        """Count a storage unless it is known."""
        key = storage._cdata
        if key in self._known:
            return
        self._known[key] = storage.nbytes()
        self.live_bytes += self._known[key]
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        weakref.finalize(storage, self._leave, key).atexit = False

    def _leave(self, key: int) -> None:
        """Forget a storage that is gone: its address may be another's next."""
        self.live_bytes -= self._known.pop(key)
