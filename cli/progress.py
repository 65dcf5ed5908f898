"""What is being done while it takes long: a bar on stderr, if that is a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

from plan3d.cli.console import detail, draws_bars


class Told(Protocol):
    """Is told how far something is; the library's callbacks are called like this."""

    def __call__(self, done: int, total: int, what: str = "", /) -> None:
        """Hear that so many of so many are done, and perhaps which one is next."""
        ...


def _unheard(done: int, total: int, what: str = "", /) -> None:
    """Draw nothing."""


@contextmanager
def doing(what: str, *, here: bool = True) -> Iterator[Told]:
    """Say that something is being done: a bar that goes away, and its time with --verbose.

    Parameters
    ----------
    what
        In a few words, such as ``"searching"``.
    here
        Whether this process is the one to say so, of several that do it together.
    """
    started_s = perf_counter()
    if here and draws_bars():
        from rich.console import Console  # noqa: PLC0415  # 0.1 s that a pipe need not pay
        from rich.markup import escape  # noqa: PLC0415
        from rich.progress import Progress  # noqa: PLC0415

        with Progress(console=Console(stderr=True), transient=True) as drawn:
            task = drawn.add_task(escape(what), total=None)

            def told(done: int, total: int, which: str = "", /) -> None:
                text = f"{what}: {which}" if which else what
                drawn.update(task, completed=done, total=total, description=escape(text))

            yield told
    else:
        yield _unheard
    if here:
        detail(f"{what}: {perf_counter() - started_s:.3f} s")
