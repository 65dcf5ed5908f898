"""What `plan3d cost` shows, and the object that it prints with ``--json``."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from plan3d.cli.as_json import of_job, of_plan, of_run
from plan3d.cli.question import Question
from plan3d.cli.report import Report, Table, grounds, job_line
from plan3d.cli.words import brief, percent, seconds, short
from plan3d.planner.result import Plan
from plan3d.simulator import footprint, reliability
from plan3d.simulator.economics import DAY_S, HOUR_S, KWH_J, RunCost
from plan3d.simulator.footprint import Site
from plan3d.simulator.inference import Decoding, decoding
from plan3d.simulator.reliability import Reliability
from plan3d.simulator.whole_run import USUAL, WholeRun, one_line


def report(
    question: Question, plan: Plan, found: WholeRun, parts: Reliability, site: Site
) -> Report:
    """Report a whole run: what it takes, what failures cost, what the trained model needs."""
    return Report(
        answer=tuple(_answer(question, plan, found)),
        tables=(
            run_table(found),
            stops_table(found),
            textbook_table(question, plan, found),
            decode_table(question),
            inputs_table(question, parts, site),
        ),
        grounds=(
            "energy of the GPUs: at their power limit, an upper bound; USD: rent, electricity is "
            "in it",
            "U of 8TP/(NFU) and 6TP/(NFU): what the formula needs to give the time without "
            "failures; attention and the last layer are not in it",
            "decoding: a lower bound, 16-bit weights and cache, the fewest GPUs that hold the "
            "model; no communication, no prefill",
            *grounds(question),
        ),
    )


def _answer(question: Question, plan: Plan, found: WholeRun) -> Iterator[str]:
    cost = found.cost
    yield job_line(question)
    yield f"Layout: {brief(plan.layout)}, {seconds(plan.estimate.step_time_s)} per step"
    yield (
        f"{short(cost.tokens)} tokens: {cost.days:,.1f} days, {cost.gpu_hours:,.0f} GPU hours, "
        f"{cost.cost_usd:,.0f} USD, {found.site_energy_kwh / 1000:,.0f} MWh, "
        f"{found.emissions_kg / 1000:,.0f} t CO2e"
    )
    yield (
        f"Of the time, {percent(found.stops.goodput)} trains: {_count(found.failures)} failures, "
        f"a checkpoint every {seconds_long(found.stops.interval_s)}; "
        f"{found.lost_gpu_s / HOUR_S:,.0f} GPU hours are lost"
    )


def _count(value: float) -> str:
    """Write an expected number."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def seconds_long(value_s: float) -> str:
    """Write a time that may be long."""
    for unit, size in (("days", DAY_S), ("h", HOUR_S), ("min", 60.0)):
        if value_s >= 2 * size:
            value = value_s / size
            return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return seconds(value_s)


def run_table(found: WholeRun) -> Table:
    """Return what the run takes, without failures and with them."""

    def row(name: str, of: RunCost) -> tuple[str, ...]:
        return (
            name,
            f"{of.days:,.1f}",
            f"{of.gpu_hours:,.0f}",
            f"{of.cost_usd:,.0f}",
            f"{of.energy_kwh / 1000:,.1f}",
        )

    return Table(
        title=f"The whole run, {short(found.cost.tokens)} tokens; with hosts and cooling "
        f"{found.site_energy_kwh / 1000:,.1f} MWh, {found.electricity_usd:,.0f} USD of electricity",
        head=("", "days", "GPU hours", "USD", "GPU MWh"),
        rows=(
            row("without failures", found.ideal),
            row("with checkpoints, failures, restarts", found.cost),
        ),
    )


def stops_table(found: WholeRun) -> Table:
    """Return what failures and checkpoints cost."""
    stops = found.stops
    return Table(
        title="Failures and checkpoints",
        head=("figure", "value"),
        rows=(
            ("time between failures of the job", seconds_long(stops.mtbf_s)),
            ("failures to expect", _count(found.failures)),
            ("checkpoint: weights and optimizer states", f"{stops.checkpoint_bytes / 1e9:,.0f} GB"),
            ("time to write it", seconds_long(stops.write_s)),
            ("best interval, first order (Young)", seconds_long(stops.young_s)),
            ("best interval (Daly), taken", seconds_long(stops.interval_s)),
            ("restart, reading it included", seconds_long(stops.restart_s)),
            ("goodput", percent(stops.goodput)),
        ),
    )


def textbook_table(question: Question, plan: Plan, found: WholeRun) -> Table:
    """Return 8TP/(NFU) and 6TP/(NFU) beside the model."""
    low, high = USUAL
    rows = tuple(
        (
            f"{line.flop_per_token:g}TP/(NFU)",
            percent(line.utilisation),
            f"{line.time_s[0] / DAY_S:,.1f}",
            f"{line.time_s[1] / DAY_S:,.1f}",
        )
        for line in one_line(question.job.model, plan.estimate, found.cost.tokens)
    )
    return Table(
        title=f"On one line of the lecture (this model: {found.ideal.days:,.1f} days)",
        head=("formula", "U for that", f"days at U = {high:g}", f"days at U = {low:g}"),
        rows=rows,
    )


def decode_table(question: Question) -> Table:
    """Return how fast the trained model can decode at best."""
    job = question.job
    found = decoding(job.model, job.cluster.gpu, job.work.seq)
    return Table(
        title=f"Decoding the trained model, {job.work.seq:,} tokens of context, "
        f"{found[0].gpus} x {job.cluster.gpu.name}: at best",
        head=("conversations", "cache", "a token each in", "tokens/s/GPU", "limit"),
        rows=tuple(_decode_row(one) for one in found),
        words=(4,),
    )


def _decode_row(one: Decoding) -> tuple[str, ...]:
    return (
        f"{one.batch:,}",
        f"{one.cache_bytes / 1e9:,.3g} GB",
        seconds(one.step_s),
        f"{one.tokens_per_s_per_gpu:,.0f}",
        one.limit,
    )


def inputs_table(question: Question, parts: Reliability, site: Site) -> Table:
    """Return the inputs, and where each is from."""
    return Table(
        title="Inputs",
        head=("input", "value", "from"),
        rows=tuple(_inputs(question, parts, site)),
        words=(0, 2),
    )


def _inputs(question: Question, parts: Reliability, site: Site) -> Iterator[tuple[str, str, str]]:
    gpu, sources = question.job.cluster.gpu, question.job.cluster.sources
    yield "rent of a GPU", f"{gpu.usd_per_s * HOUR_S:.2f} USD/h", sources.get("gpu.price", "given")
    yield "power of a GPU", f"{gpu.power_w:,.0f} W", sources.get("gpu.power", "given")
    told: tuple[tuple[str, str, str], ...] = (
        ("gpu_mtbf_s", "a GPU fails every", seconds_long(parts.gpu_mtbf_s)),
        ("node_mtbf_s", "the rest of a node", seconds_long(parts.node_mtbf_s)),
        ("restart_s", "restart", seconds_long(parts.restart_s)),
        ("node_bytes_per_s", "storage, by node", f"{parts.node_bytes_per_s / 1e9:.3g} GB/s"),
        ("host_share", "hosts, over the GPUs", percent(site.host_share)),
        ("pue", "PUE", f"{site.pue:.3g}"),
        ("co2_kg_per_j", "grid", f"{1000 * site.co2_kg_per_j * KWH_J:,.0f} g/kWh"),
        ("usd_per_j", "electricity", f"{site.usd_per_j * KWH_J:.3f} USD/kWh"),
    )
    usual = asdict(Reliability()) | asdict(Site())
    known = {**reliability.SOURCES, **footprint.SOURCES}
    given = asdict(parts) | asdict(site)
    for name, words, value in told:
        yield words, value, known[name] if given[name] == usual[name] else "given"


def as_object(
    question: Question, plan: Plan, found: WholeRun, parts: Reliability, site: Site
) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""
    job = question.job
    eight, six = one_line(job.model, plan.estimate, found.cost.tokens)
    return {
        "version": question.version,
        "job": of_job(question),
        "plan": of_plan(question, plan),
        "ideal": of_run(found.ideal),
        "run": of_run(found.cost)
        | {
            "failures": found.failures,
            "lost_gpu_s": found.lost_gpu_s,
            "site_energy_j": found.site_energy_j,
            "emissions_kg": found.emissions_kg,
            "electricity_usd": found.electricity_usd,
        },
        "stops": asdict(found.stops),
        "textbook": [asdict(eight), asdict(six)],
        "decoding": [
            asdict(one) | {"limit": one.limit, "tokens_per_s_per_gpu": one.tokens_per_s_per_gpu}
            for one in decoding(job.model, job.cluster.gpu, job.work.seq)
        ],
        "inputs": asdict(parts) | asdict(site),
        "assumed": list(question.assumed),
    }
