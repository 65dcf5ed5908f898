"""Run the commands that a page shows, and put what they print in its place.

Run as ``python benchmarks/readme.py`` for README.md, or with the paths of other pages. Of each
``console`` block it replaces as many paragraphs as the block has; a last line ``...`` says that
the command prints more.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```console\n\$ plan3d ([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MORE = "\n\n..."


def printed(arguments: str) -> str:
    """Return what a command prints where there is no terminal."""
    command = (sys.executable, "-m", "plan3d.cli", *shlex.split(arguments))
    plain = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=plain).stdout


def again(block: re.Match[str]) -> str:
    """Return a block with what its command prints now."""
    arguments, shown = block[1], block[2].rstrip()
    kept = shown.removesuffix(MORE).split("\n\n")
    paragraphs = printed(arguments).rstrip().split("\n\n")
    more = MORE if len(paragraphs) > len(kept) else ""
    text = "\n\n".join(paragraphs[: len(kept)])
    return f"```console\n$ plan3d {arguments}\n{text}{more}\n```"


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:] or [README]):
        page.write_text(BLOCK.sub(again, page.read_text(encoding="utf-8")), encoding="utf-8")
