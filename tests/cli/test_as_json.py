import json
import math

from plan3d.cli import as_json
from plan3d.cli.question import Question
from plan3d.planner.result import SearchResult
from plan3d.simulator.layout import FIELDS
from plan3d.simulator.result import EstimateTable


def test_what_is_not_finite_is_null() -> None:
    text = as_json.dumps({"a": [math.nan, math.inf, -math.inf, 1.5], "b": {"c": (1, "x")}})
    assert json.loads(text) == {"a": [None, None, None, 1.5], "b": {"c": [1, "x"]}}


def test_a_search(question: Question, result: SearchResult) -> None:
    found = json.loads(as_json.dumps(as_json.of_search(question, result)))
    (plan,) = found["plans"]
    assert tuple(plan["layout"]) == FIELDS
    assert plan["layout"]["recompute"] == "selective"
    assert (plan["step_time_s"], plan["memory_bytes"], plan["fits"]) == (2.0, 40 * 2**30, True)
    assert (plan["mfu"], plan["hfu"]) == (0.5, 0.625)
    assert (plan["tokens_per_s"], plan["tokens_per_s_per_gpu"]) == (16384, 1024)
    assert tuple(plan["time"]) == EstimateTable.TIME
    assert sum(plan["memory"].values()) == plan["memory_bytes"]
    assert plan["training"]["gpu_hours"] == 384
    assert plan["criteria"]["redundant_computation"] == 0.25
    assert found["nearest"] is None
    assert found["infeasible"] == {"memory": 412}
    assert (found["certificate"]["legal"], found["certificate"]["fit"]) == (1040, 628)
    assert found["elapsed_s"] == 0.25


def test_nothing_feasible(question: Question, nothing: SearchResult) -> None:
    found = as_json.of_search(question, nothing)
    assert found["plans"] == []
    assert found["nearest"]["fits"] is False


def test_csv_flattens_and_quotes() -> None:
    rows = [{"a": 1, "b": {"c": "x,y"}}, {"a": math.nan, "b": {"d": 2}}]
    assert as_json.to_csv(rows) == 'a,b.c,b.d\n1,"x,y",\n,,2\n'
