"""Compare predictions with measured runs: docs/accuracy.md, docs/accuracy.png, the recorded scores.

Run as ``python benchmarks/accuracy.py``, on the runs that ship. The recorded scores,
benchmarks/scores.json, are what tests/planner/validation/test_gate.py holds later changes to.
Nothing is written while a suite is worse than recorded and CHANGELOG.md does not say so.
"""

import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import accuracy_others as elsewhere
import accuracy_tools as tools
import numpy as np
from accuracy_choices import choices
from accuracy_full import full
from accuracy_outcomes import outcomes
from accuracy_summary import summary
from accuracy_table import percent, table
from intervals import left_out_coverage, near_best, without_each
from score_gate import unsaid
from unseen import UNSEEN_MEMORY

from plan3d.cli.commands.validate_command import Shipped
from plan3d.cli.figures.style import image
from plan3d.cli.plots import shipped_accuracy
from plan3d.hardware_profiles import software
from plan3d.planner.uncertainty.calibration import Calibration
from plan3d.planner.uncertainty.coverage import coverage
from plan3d.planner.validation import (
    Errors,
    Prediction,
    Sweep,
    Validation,
    published_runs,
    validate,
)
from plan3d.planner.validation.recorded import recorded_runs
from plan3d.planner.validation.unseen import as_unseen, unseen

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
TEXT = HERE / "accuracy_text.md"
"""What the page says around its tables: each ``{{name}}`` is replaced."""
NOTES = HERE / "accuracy_notes.toml"
SCORES = HERE / "scores.json"
CHANGELOG = HERE.parent / "CHANGELOG.md"
WORST = 20


def page(result: Validation, told: Validation) -> str:
    """Return the page."""
    others = unseen(result.predictions)
    known = json.loads(UNSEEN_MEMORY.read_text(encoding="utf-8"))
    new = tuple(map(as_unseen, result.predictions))
    left_out = without_each((*map(as_unseen, told.predictions), *elsewhere.result().predictions))
    parts: Mapping[str, Iterable[str]] = {
        "summary": summary(result, others, told),
        "outcomes": outcomes(result.predictions, others),
        "left_out_sweeps": left_out_sweeps(known["sweeps"]),
        "time": times(result, others),
        "memory": memory(result, others),
        "full": full(told.predictions),
        "intervals": intervals(result, told, left_out),
        "near_best": chances(near_best((*new, *elsewhere.result().predictions), left_out)),
        "sweeps": sweeps(result, others),
        "worst": worst(result),
        "cached": [f"{software('nanotron-2024').memory_cached:.2f}"],
        "cached_bloom": [f"{known['constants']['ultra']['memory_cached']:.2f}"],
        "cached_ultra": [f"{known['constants']['bloom']['memory_cached']:.2f}"],
        "issue": [f"{1e3 * software('nanotron-2024-host-bound').issue_s:.2g} ms"],
        "wait": [f"{software('nanotron-2024-early').send_overhead_s:.2g} s"],
        "open": table(("suite", "runs", "fastest (used)", "median", "slowest"), choices()),
        "others": table(elsewhere.HEAD, elsewhere.others(left_out)),
        "other_score": [elsewhere.score()],
        "other_memory": [elsewhere.memory()],
        "other_regret": [elsewhere.regret()],
        "other_sweeps": table(elsewhere.SWEEPS_HEAD, elsewhere.sweeps()),
        "tools": tools.compared(result.predictions),
        "tools_open": tools.choices(result.predictions),
        "tools_fused": [tools.fused(result.predictions)],
        "tools_left_out": tools.left_out(result.predictions),
        "left_out": counted(result.skipped),
        "assumed": counted(result.assumed),
    }
    text = TEXT.read_text(encoding="utf-8")
    for name, lines in parts.items():
        text = text.replace(f"{{{{{name}}}}}", "\n".join(lines))
    return text


def times(result: Validation, unseen: Validation) -> Iterator[str]:
    """Yield the step time by suite, with the ranking of its sweeps."""
    head = (
        "suite", "source", "runs", "mean error", "bias", "90 % below", "unseen", "tau",
        "tau, unseen", "regret", "regret, unseen",
    )  # fmt: skip
    body = []
    for name, s in result.time.suites.items():
        scores = (*map(percent, (s.mape, s.bias, s.p90)), percent(unseen.time.suites[name].mape))
        ranks = ranking(*([s for s in x.sweeps if s.suite == name] for x in (result, unseen)))
        body.append((name, sources(result, name), str(s.n), *scores, *ranks))
    last = ("all", "", str(sum(s.n for s in result.time.suites.values())),
            percent(result.time.macro_mape), percent(result.time.macro_bias), "",
            percent(unseen.time.macro_mape), *ranking(result.sweeps, unseen.sweeps))  # fmt: skip
    yield from table(head, body, last)


def ranking(own: Sequence[Sweep], unseen: Sequence[Sweep]) -> tuple[str, ...]:
    """Return mean tau and regret of sweeps, each in-sample and unseen; nothing of none."""
    if not own:
        return ("",) * 4
    taus = (f"{np.mean([s.tau for s in x]):.2f}" for x in (own, unseen))
    regrets = (percent(float(np.mean([s.regret for s in x]))) for x in (own, unseen))
    return (*taus, *regrets)


def memory(result: Validation, unseen: Validation) -> Iterator[str]:
    """Yield the peak memory by suite."""
    others, errors = unseen.memory, result.memory
    yield from table(
        ("suite", "runs", "mean error", "bias", "90 % below", "unseen", "bias, unseen"),
        (
            (
                name, str(s.n), *map(percent, (s.mape, s.bias, s.p90)),
                *map(percent, (others.suites[name].mape, others.suites[name].bias)),
            )
            for name, s in errors.suites.items()
        ),
        ("all", "", percent(errors.macro_mape), percent(errors.macro_bias), "",
         percent(others.macro_mape), percent(others.macro_bias)),
    )  # fmt: skip


def left_out_sweeps(known: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield how well each sweep is told with the constant that is fitted to the others."""
    yield from table(
        ("suite", "GPUs", "sequence", "runs", "balanced accuracy, left out", "with, of the others"),
        (
            (
                s["suite"], str(s["gpus"]), str(s["seq"]), str(s["runs"]),
                percent(s["balanced_accuracy"]), f"{s['value']:.1f} B",
            )
            for s in known
        ),
    )  # fmt: skip


def intervals(
    result: Validation, told: Validation, left_out: dict[str, Calibration]
) -> Iterator[str]:
    """Yield how many runs are inside their 90 % intervals."""
    others = elsewhere.result().predictions
    body = []
    for whose, own, new in (
        ("published", result.predictions, map(as_unseen, result.predictions)),
        ("with what jobs recorded", told.predictions, map(as_unseen, told.predictions)),
        ("other sources", others, others),
    ):
        found, left = coverage(own), left_out_coverage(tuple(new), left_out)
        for name, ours in (("step time", found.time), ("peak memory", found.memory)):
            theirs = left[name]
            if ours is not None and theirs is not None:
                shares = (ours.of_runs, ours.of_suites, theirs.of_runs, theirs.of_suites)
                words = f"{name}, {whose}", f"{ours.runs:,}"
                body.append((*words, *map(percent, shares), f"{ours.factor:.2f}"))
    head = ("interval of", "runs", "inside", "mean over suites", "inside, suite left out",
            "mean over suites, left out", "upper over lower end")  # fmt: skip
    yield from table(head, body)


def chances(rows: Sequence[tuple[str, int, float, float]]) -> Iterator[str]:
    """Yield what was said of being near the best, and what happened, by suite."""
    body = [(name, str(n), percent(said), percent(was)) for name, n, said, was in rows]
    yield from table(("suite", "sweeps", "chance, mean", "was near the best"), body)


def sweeps(result: Validation, unseen: Validation) -> Iterator[str]:
    """Yield the ranking by sweep, the largest regret first."""
    pairs = zip(result.sweeps, unseen.sweeps, strict=True)
    yield from table(
        ("source", "model", "GPUs", "runs", "tau", "tau, unseen", "regret", "regret, unseen"),
        (
            (s.source, s.model, str(s.gpus), str(s.n), *ranking([s], [other]))
            for s, other in sorted(pairs, key=lambda pair: -pair[0].regret)
        ),
    )


def worst(result: Validation) -> Iterator[str]:
    """Yield the worst rows, at most three of a suite, each with the reason that was found."""
    reasons = tomllib.loads(NOTES.read_text(encoding="utf-8"))["reason"]
    taken: Counter[str] = Counter()
    body = []
    timed = [p for p in result.predictions if p.measured_s]
    for p in sorted(timed, key=lambda p: -abs(np.log(p.predicted_s / (p.measured_s or 1.0)))):
        if taken[p.run.suite] < 3 and len(body) < WORST:
            taken[p.run.suite] += 1
            body.append(
                (
                    p.run.id, p.run.model, f"{p.run.gpus} x {p.run.gpu}", str(p.layout),
                    f"{p.measured_s:.4g} s", f"{p.predicted_s:.4g} s", reason(reasons, p),
                )
            )  # fmt: skip
    yield from table(("run", "model", "GPUs", "layout", "measured", "predicted", "why"), body)


def reason(reasons: Sequence[Mapping[str, object]], p: Prediction) -> str:
    """Return the first reason whose words a row has."""
    for one in reasons:
        words = (("suite", p.run.suite), ("model", p.run.model), ("framework", p.run.framework),
                 ("gpu", p.run.gpu), ("precision", p.run.precision))  # fmt: skip
        named = all(str(one.get(key, "")) in text for key, text in words)
        piped = not one.get("pipeline") or p.layout.pp > 1
        if named and piped and (not one.get("cp") or p.layout.cp > 1):
            return str(one["why"])
    return "not looked into"


def counted(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield counts, the largest first."""
    ordered = sorted(counts.items(), key=lambda c: (-c[1], c[0]))
    yield from table(("what", "runs"), ((what, str(n)) for what, n in ordered))


def sources(result: Validation, suite: str) -> str:
    """Return what the runs of a suite are from, the most frequent sources first."""
    found = Counter(p.run.source for p in result.predictions if p.run.suite == suite)
    return ", ".join(source for source, _ in found.most_common(3))


def recorded(result: Validation, told: Validation) -> dict[str, object]:
    """Return the scores that later changes are held to, in percent."""
    others = unseen(result.predictions)
    return {
        "time": in_percent(result.time),
        "unseen": in_percent(others.time),
        "memory": in_percent(result.memory),
        "unseen_memory": in_percent(others.memory),
        "oom": round(100 * (result.oom_balanced_accuracy or 0.0), 2),
        "unseen_oom": round(100 * (others.oom_balanced_accuracy or 0.0), 2),
        "regret": round(100 * (result.mean_regret or 0.0), 2),
        "unseen_regret": round(100 * (others.mean_regret or 0.0), 2),
        "told": round(100 * told.time.suites["ultra"].mape, 2),
        "runs": len(result.predictions),
        "others": elsewhere.recorded(),
    }


def in_percent(errors: Errors) -> dict[str, float]:
    """Return the mean error of each suite, in percent."""
    return {name: round(100 * s.mape, 4) for name, s in errors.suites.items()}


def main() -> None:
    """Write the page, the figure and the scores."""
    result = validate(published_runs(), Shipped())
    told = validate(recorded_runs(), Shipped())
    scores = recorded(result, told)
    known = json.loads(SCORES.read_text(encoding="utf-8"))
    bad = unsaid(known, scores, CHANGELOG.read_text(encoding="utf-8"))
    if any(bad.values()):
        sys.exit(f"worse than recorded, say so under Predictions in CHANGELOG.md: {bad}")
    (DOCS / "accuracy.md").write_text(page(result, told), encoding="utf-8")
    (DOCS / "accuracy.png").write_bytes(image(shipped_accuracy(), "png"))
    SCORES.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
