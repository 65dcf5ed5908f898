"""What a report says, as text in tables: the terminal and the Markdown file show the same."""

from collections.abc import Iterator
from dataclasses import dataclass

from plan3d.cli.question import Question
from plan3d.cli.sureness import around, chance, memory_line, of_order
from plan3d.cli.words import LINKS, MEMORY, TIME, as_option, brief, gib, percent, seconds, short
from plan3d.planner.result import Job, Plan, SearchResult
from plan3d.simulator.economics import criteria
from plan3d.simulator.result import Estimate

MFU = (
    "MFU: matrix products of the model (the output projection counts, the embedding does not) with "
    "full attention, 6 N + 12 l h s per token (PaLM, arXiv:2204.02311, appendix B), over the "
    "dense peak; HFU counts recomputation, too"
)


TEXTBOOK_MFU = (
    "MFU: 6 N per token, attention left out, over the dense peak; HFU: 8 N where recomputed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: the first `words` columns are text, the others numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = (0,)
    """Numbers of the columns that hold words: they are set to the left, the others to the right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One subject of a full report: a figure and tables about it."""

    title: str
    name: str = ""
    """Of its place in a page, and of its figure if there is one."""
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    sorts: bool = False
    """Whether its table is there to be sorted and filtered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Lines that answer the question, tables that say why, lines that say on what grounds."""

    answer: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    grounds: tuple[str, ...] = ()
    again: str = ""
    """The command that estimates the plan in detail."""


def of_search(question: Question, result: SearchResult) -> Report:
    """Report a search: the plans, and the best one in detail."""
    shown = result.plans[0] if result.plans else result.nearest
    tables = [plans_table(result.plans), reasons_table(result.plans)]
    if shown is not None:
        tables += details(shown)
    return Report(
        answer=tuple(_answer(question, result, shown)),
        tables=tuple(table for table in (*tables, infeasible_table(result)) if table.rows),
        grounds=(*grounds(question), *_uneven(question, shown)),
        again="" if shown is None else _again(question, shown),
    )


def of_layout(question: Question, plan: Plan) -> Report:
    """Report one layout."""
    return Report(
        answer=(
            job_line(question),
            f"Layout: {brief(plan.layout)}",
            *_figures(question, plan),
        ),
        tables=tuple(table for table in details(plan) if table.rows),
        grounds=(*grounds(question), *_uneven(question, plan)),
        again=_again(question, plan),
    )


def job_line(question: Question) -> str:
    """Return the line that says what was asked."""
    job = question.job
    return f"{job.model.name} on {job.gpus:,} x {_on(job)}"


def work_line(question: Question) -> str:
    """Return the same for an answer about several numbers of GPUs."""
    return f"{question.job.model.name} on {_on(question.job)}"


def _on(job: Job) -> str:
    work = job.work
    return (
        f"{job.cluster.gpu.name} ({job.cluster.name}): "
        f"batch {work.global_batch:,} x {work.seq:,} tokens, "
        f"{work.precision.name}, {work.optimizer.name}"
    )


def _answer(question: Question, result: SearchResult, shown: Plan | None) -> Iterator[str]:
    yield job_line(question)
    legal, took = result.certificate.legal, f"in {seconds(result.elapsed_s)}"
    if result.plans:
        best = result.plans[0]
        yield f"Best: {brief(best.layout)}"
        yield from _figures(question, best)
        yield from of_order(result)
        yield f"{result.certificate}, {took}"
    elif shown is not None:
        yield f"Nothing fits: of {legal:,} legal layouts none is within the memory ({took})."
        yield f"Nearest: {brief(shown.layout)}"
        yield from _figures(question, shown)
    else:
        yield f"No layout is legal ({took})."
    yield from result.advice


def _figures(question: Question, plan: Plan) -> Iterator[str]:
    estimate = plan.estimate
    yield (
        f"{seconds(estimate.step_time_s)}{around(plan.outlook)} per step, "
        f"MFU {percent(estimate.mfu)}, {estimate.tokens_per_s_per_gpu:,.0f} tokens/s per GPU, "
        f"{_room(estimate)}"
    )
    if plan.outlook is not None:
        yield memory_line(plan.outlook)
    cost = question.run_cost(estimate)
    if cost is not None and estimate.fits:
        yield (
            f"{short(cost.tokens)} tokens: {cost.days:,.1f} days, {cost.gpu_hours:,.0f} GPU hours, "
            f"{cost.cost_usd:,.0f} USD, {cost.energy_kwh:,.0f} kWh"
        )


def _room(estimate: Estimate) -> str:
    peak, capacity = gib(estimate.memory_bytes), gib(estimate.capacity_bytes)
    missing = gib(estimate.memory_bytes - estimate.capacity_bytes)
    if estimate.fits:
        return f"{peak} of {capacity} GiB"
    return f"does NOT fit: {peak} of {capacity} GiB, {missing} GiB too much"


def plans_table(plans: tuple[Plan, ...]) -> Table:
    """Return the table of plans, best first; `played` is what playing the pipeline changed."""
    played = any(plan.played is not None for plan in plans)
    sure = any(plan.outlook is not None for plan in plans)
    return Table(
        title="Plans",
        head=(
            "#", "layout", "step", "MFU", "tok/s/GPU", "GiB", "free", "bubble", "behind", "alike",
            *(("played",) if played else ()),
            *(("runs out",) if sure else ()),
        ),
        rows=tuple(
            (
                f"{plan.rank}",
                brief(plan.layout),
                seconds(plan.estimate.step_time_s),
                percent(plan.estimate.mfu),
                f"{plan.estimate.tokens_per_s_per_gpu:,.0f}",
                gib(plan.estimate.memory_bytes),
                gib(plan.estimate.capacity_bytes - plan.estimate.memory_bytes),
                percent(plan.estimate.time.bubble_s / plan.estimate.step_time_s),
                percent(plan.behind),
                f"{plan.variants:,}",
                *((f"{100 * (plan.played or 0):+.1f} %",) if played else ()),
                *((chance(plan.outlook.out_of_memory),) if plan.outlook else ()),
            )
            for plan in plans
        ),
        words=(1,),
    )  # fmt: skip


def reasons_table(plans: tuple[Plan, ...]) -> Table:
    """Return why each plan stands where it does."""
    rows = tuple((f"{plan.rank}", plan.reason) for plan in plans)
    return Table(title="Why they stand there", head=("#", "why"), rows=rows, words=(1,))


def details(plan: Plan) -> list[Table]:
    """Return the tables of one layout: time, communication, memory, figures of merit."""
    return [
        time_table(plan.estimate),
        communication_table(plan.estimate),
        memory_table(plan.estimate, plan.layout.pp),
        merit_table(plan.estimate),
    ]


def time_table(estimate: Estimate) -> Table:
    """Return where the step goes: the terms add up to it."""
    total_s = estimate.step_time_s
    terms = {**{TIME[k]: getattr(estimate.time, k) for k in TIME}, "step": total_s}
    return Table(
        title="Where the step goes (the terms add up)",
        head=("term", "time", "share"),
        rows=tuple((k, seconds(v), percent(v / total_s)) for k, v in terms.items() if v),
    )


def communication_table(estimate: Estimate) -> Table:
    """Return how much of each kind of communication is exposed, and how long it takes."""
    both = {
        name: (getattr(estimate.time, f"{kind}_comm_s"), getattr(estimate.link, f"{kind}_link_s"))
        for kind, name in LINKS.items()
    }
    return Table(
        title="Communication (exposed lengthens the step; on the link, hidden or not)",
        head=("kind", "exposed", "on the link"),
        rows=tuple((k, seconds(a), seconds(b)) for k, (a, b) in both.items() if a or b),
    )


def memory_table(estimate: Estimate, stages: int) -> Table:
    """Return what fills the fullest GPU."""
    capacity = estimate.capacity_bytes
    terms = {
        **{MEMORY[k]: getattr(estimate.memory, k) for k in MEMORY},
        "peak": estimate.memory_bytes,
        "free" if estimate.fits else "missing": abs(capacity - estimate.memory_bytes),
        "capacity": capacity,
    }
    return Table(
        title=f"Memory of the fullest stage, {estimate.stage + 1} of {stages}, in the "
        f"{estimate.peak.phase}",
        head=("term", "GiB", "of capacity"),
        rows=tuple((k, gib(v), percent(v / capacity)) for k, v in terms.items() if v),
    )


def merit_table(estimate: Estimate) -> Table:
    """Return the figures of merit, the three criteria of a strategy among them."""
    score = criteria(estimate)
    peak = estimate.peak_flop_per_s
    return Table(
        title="Figures of merit",
        head=("figure", "value"),
        rows=(
            ("MFU", f"{percent(estimate.mfu)} of {peak / 1e12:,.0f} TFLOP/s"),
            ("HFU", percent(estimate.hfu)),
            ("tokens/s", f"{estimate.tokens / estimate.step_time_s:,.0f}"),
            ("tokens/s per GPU", f"{estimate.tokens_per_s_per_gpu:,.1f}"),
            ("redundant computation", percent(score.redundant_computation)),
            ("peak memory", percent(score.peak_memory)),
            ("communication exposed", percent(score.communication)),
        ),
    )


def infeasible_table(result: SearchResult) -> Table:
    """Return how many candidates each rule excludes."""
    return Table(
        title="Layouts that cannot be used",
        head=("reason", "layouts"),
        rows=tuple((reason, f"{count:,}") for reason, count in result.infeasible.items() if count),
    )


def _again(question: Question, plan: Plan) -> str:
    return f"plan3d estimate {question.options} --layout {as_option(plan.layout)}"


def _uneven(question: Question, plan: Plan | None) -> Iterator[str]:
    layers = question.job.model.layers
    if plan is not None and layers % plan.layout.pp:
        yield (
            f"{layers} layers on {plan.layout.pp} stages are uneven: tell the framework the split, "
            "or it may drop layers or refuse; plan3d partition prints the flags"
        )


def grounds(question: Question) -> Iterator[str]:
    """Yield what an answer rests on."""
    yield TEXTBOOK_MFU if question.fidelity == "textbook" else MFU
    yield from question.assumed
    job = question.job
    yield (
        f"plan3d {question.version}, {question.fidelity} model; hardware {job.cluster.name} "
        f"({job.cluster.digest or 'no digest'}), software {job.software.name}"
    )
