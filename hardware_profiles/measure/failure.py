"""What went wrong with one shape: no reason to stop, but to be written down."""

import gc
import warnings
from collections.abc import Callable
from typing import Final, TypeVar

from plan3d.hardware_profiles.measure.task import UnsupportedError
from plan3d.hardware_profiles.points.point import OK

T = TypeVar("T")
_NO_MEMORY: Final = ("out of memory", "can't allocate memory", "alloc_failed")
LONGEST_NOTE: Final = 200


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, CUDA, cuBLAS or the host says that memory is short."""
    text = str(error).lower()
    return any(words in text for words in _NO_MEMORY)


def tried(action: Callable[[], T]) -> tuple[T | None, str, str]:
    """Return what an action returned, or nothing, with the status and the reason.

    Only what torch raises is caught: another error is a fault of this package.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they would break the lines of a progress bar
            return action(), OK, ""
    except UnsupportedError as error:
        return None, "unsupported", str(error)[:LONGEST_NOTE]
    except (RuntimeError, MemoryError) as error:
        status = "oom" if out_of_memory(error) or not str(error) else "unsupported"
        note = " ".join(str(error).split())[:LONGEST_NOTE]
    gc.collect()  # the traceback held the tensors
    return None, status, note
