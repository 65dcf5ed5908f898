"""What `plan3d compare` puts side by side: layouts, plans of files, hardware."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import plan3d
from plan3d.cli.asking import OPTIONS, Ask
from plan3d.cli.chosen import chosen
from plan3d.cli.inputs import priced
from plan3d.cli.plan_file import read_plan
from plan3d.cli.question import Question
from plan3d.cli.single import single
from plan3d.cli.sources import read_source
from plan3d.planner import frameworks
from plan3d.planner.causes import Subject
from plan3d.planner.frameworks import ANY
from plan3d.planner.result import Plan
from plan3d.simulator.errors import InputError

_REFERENCE = re.compile(r"(?P<file>[^#]+\.json)(#(?P<rank>\d{1,6}))?")

_NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

MOVED = 1e-3
"""A file's step time that differs by more from today's is said. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One of the things compared."""

    name: str
    """A, B, C, ..."""
    question: Question
    plan: Plan
    note: str = ""
    """What is worth saying about where it is from."""

    @property
    def subject(self) -> Subject:
        """As the library compares it."""
        return Subject(
            name=self.name,
            job=self.question.job,
            layout=self.plan.layout,
            estimate=self.plan.estimate,
        )


def compared(texts: Sequence[str], hardware: Sequence[str], ask: Ask) -> tuple[Compared, ...]:
    """Return what the arguments name.

    Parameters
    ----------
    texts
        Layouts, or ``plan.json#rank``; none means the best of each hardware.
    hardware
        Clusters: several with at most one layout.
    ask
        Asks about a layout. Of plans of files only rent and tokens are asked.

    Raises
    ------
    InputError
        If there is less than two, several of both, or something that is not used.
    """
    many = len(texts) > 1 and len(hardware) > 1
    count = max(len(texts), len(hardware))
    if many or not 2 <= count <= len(_NAMES):
        raise InputError(
            "give two or more layouts or plans (tp=8,pp=8 tp=4,pp=8, or plans.json#1 "
            "plans.json#2), or one layout, or none, and two or more --hardware"
        )
    if texts and all(map(_reference, texts)):
        _refuse_unused(ask)
    pairs: list[tuple[str | None, str | None]]
    if len(texts) > 1:
        pairs = [(text, next(iter(hardware), None)) for text in texts]
    else:
        pairs = [(next(iter(texts), None), cluster) for cluster in hardware]
    found = (_one(text, cluster, ask) for text, cluster in pairs)
    return tuple(replace(one, name=name) for name, one in zip(_NAMES, found, strict=False))


def _reference(text: str) -> re.Match[str] | None:
    return _REFERENCE.fullmatch(text.strip())


def _refuse_unused(ask: Ask) -> None:
    """Refuse options that plans of files answer themselves."""
    usual = dict.fromkeys(OPTIONS) | {"framework": frameworks.DEFAULT}
    unused = [
        name
        for name in OPTIONS
        if name not in ("tokens", "price") and ask.keywords.get(name, usual[name]) != usual[name]
    ]
    if unused:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
        raise InputError(f"plans of files say what {names} would; leave that out")


def _one(text: str | None, cluster: str | None, ask: Ask) -> Compared:
    match = _reference(text) if text else None
    if match is not None:
        return _from_file(match["file"], int(match["rank"] or 1), cluster, ask)
    missing = [name for name in ("model", "gpus") if ask.keywords[name] is None]
    if missing:
        raise InputError(f"--{' and --'.join(missing)} must be given, but for plans of files")
    whole = ask(hardware=cluster)
    return Compared(name="", question=whole, plan=chosen(whole, text, whole.framework))


def _from_file(name: str, rank: int, cluster: str | None, ask: Ask) -> Compared:
    """Return a plan that was printed with ``--json``, estimated again."""
    text = read_source(name, "a plan")
    try:
        file = read_plan(text)
        planned, before_s = file.planned(rank, cluster), file.step_time_s(rank)
        job = planned.job
        whole = Question(
            job=replace(job, cluster=priced(job.cluster, ask.keywords["price"])),
            tokens=ask.keywords["tokens"] or file.tokens(rank),
            fidelity=file.fidelity,
            version=plan3d.__version__,
            options="",
            assumed=tuple(f"{name}: {line}" for line in file.assumed),
        )
        plan = single(whole, planned.layout, ANY).plans[0]
    except InputError as error:
        raise InputError(f"{name}#{rank}: {error}") from error
    now_s = plan.estimate.step_time_s
    note = f"{name}#{rank} says {before_s:,.4g} s; computed again it is {now_s:,.4g} s"
    moved = abs(now_s / before_s - 1) > MOVED
    return Compared(name="", question=whole, plan=plan, note=note if moved else "")
