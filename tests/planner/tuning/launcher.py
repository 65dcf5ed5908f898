"""A stand-in for a training launcher: it takes a layout, waits for nothing, and behaves as told.

It imports little: a test starts it dozens of times.
"""

# ruff: noqa: T201

import os
import signal
import subprocess
import sys
import time

LINE = " iteration {i:8d}/ 10 | elapsed time per iteration (ms): {ms:.1f} | learning rate: 1e-4 |"


def options(words: list[str]) -> dict[str, str]:
    """Return ``--name value`` pairs."""
    return dict(zip(words[::2], words[1::2], strict=True))


def step_s(said: dict[str, str]) -> float:
    """Return the step time of a layout on this imaginary cluster: pipelines are good, tp is bad."""
    tp, pp = int(said["--tp"]), int(said["--pp"])
    micro_batch = int(said.get("--micro-batch", "1"))
    return 1.0 + 0.3 * (tp - 1) - 0.1 * min(pp - 1, 3) - 0.05 * (micro_batch == 2)


def main() -> None:
    """Behave: the words after ``--behave``, comma-separated."""
    said = options(sys.argv[1:])
    behave = said.get("--behave", "log").split(",")
    tp = int(said["--tp"])
    if "ignore-end" in behave:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "child" in behave:
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        with open(said["--child-file"], "w") as file:  # noqa: PTH123
            file.write(str(child.pid))
    kind = {word for word in behave if word.endswith(f"-tp{tp}")}
    behave += [word.partition("-")[0] for word in kind]
    if "hang" in behave:
        time.sleep(600)
    if "crash" in behave:
        print("loading ...")
        print("ValueError: heads do not divide", file=sys.stderr)
        sys.exit(13)
    if "killed" in behave:
        os.kill(os.getpid(), signal.SIGKILL)
    if "oom" in behave:
        print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.")
        sys.exit(1)
    if "garbage" in behave:
        sys.stdout.buffer.write(b"\xff\xfe\x00 elapsed time per iteration (ms): soon\n" * 5)
        return
    time_s = step_s(said)
    if "noise" in behave:  # a few percent, the same for the same layout
        time_s *= 1 + 0.01 * (hash(tuple(sorted(said.items()))) % 3 - 1)
    print("warming up")
    for i in range(6):
        slow = 5 * time_s if i < 2 else time_s
        if "json" in behave:
            print(f'{{"step": {i}, "step_time_s": {slow}}}')
        else:
            print(LINE.format(i=i, ms=1000 * slow), flush=True)


main()
