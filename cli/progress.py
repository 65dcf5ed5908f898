"""A bar on stderr while something takes long, if that is a terminal."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def bar(*, quiet: bool = False) -> "Progress":
    """Return a bar that goes away when it is done; nothing is drawn into a file or a dumb one."""
    from rich.console import Console  # noqa: PLC0415  # 0.1 s that --help need not pay
    from rich.progress import Progress  # noqa: PLC0415

    off = quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb"
    return Progress(console=Console(stderr=True), transient=True, disable=off)
