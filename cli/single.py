"""Estimate one layout, as an answer of the same form as a search's."""

from time import perf_counter

from plan3d.cli.inputs import evaluator, forecast, player
from plan3d.cli.question import Question
from plan3d.cli.words import as_option
from plan3d.planner.frameworks import Framework, lacking
from plan3d.planner.result import Certificate, Job, Plan, SearchResult
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.legality import Reason, explain, reasons


def single(question: Question, layout: Layout, framework: Framework) -> SearchResult:
    """Estimate a layout.

    Raises
    ------
    InputError
        If the layout cannot run: with every rule that it breaks, and what would work.
    """
    start_s = perf_counter()
    job = question.job
    table = LayoutTable.of([layout])
    flags = reasons(job.model, job.work, job.cluster, job.gpus, table)[0]
    broken = Reason(int(flags)) & ~framework.tolerates
    missing = lacking(framework, layout)
    if broken or missing:
        raise _refusal(job, layout, broken, missing)
    closed = evaluator(question)(table)
    play = player(question)
    found = play(table, closed) if play else closed
    estimate = found.row(0)
    played = estimate.step_time_s / float(closed.step_time_s[0]) - 1 if play else None
    foresee = forecast(question)
    plan = Plan(
        rank=1, layout=layout, estimate=estimate, behind=0.0, variants=1, reason="as given",
        played=played, outlook=foresee(table, found).row(0) if foresee else None,
    )  # fmt: skip
    certificate = Certificate(
        searcher="one layout", objective="time", legal=1, fit=int(estimate.fits), evaluated=1,
        proven=False,
    )  # fmt: skip
    return SearchResult(
        job=job,
        plans=(plan,),
        certificate=certificate,
        infeasible={} if estimate.fits else {"memory": 1},
        advice=(),
        nearest=None,
        elapsed_s=perf_counter() - start_s,
    )


def _refusal(job: Job, layout: Layout, broken: Reason, missing: tuple[str, ...]) -> InputError:
    """Return the error that names every rule that a layout breaks."""
    model, chunks = job.model, layout.pp * layout.vpp
    why = [f"{str(reason.name).lower()}: {explain(reason)[0]}" for reason in broken]
    if Reason.LOST_LAYERS in broken:
        why.append(f"{model.layers // chunks * chunks} of the {model.layers} layers would train")
    why += [f"{text}; --framework any estimates it all the same" for text in missing]
    return InputError(
        f"{model.name} cannot run as {as_option(layout)} on {job.gpus:,} GPUs:"
        + "".join(f"\n  - {text}" for text in why)
    )
