"""A report of an answer that is easily checked in the head, against a text written by hand."""

from dataclasses import replace

import pytest

from plan3d.cli import report
from plan3d.cli.markdown import markdown
from plan3d.cli.question import Question
from plan3d.cli.render import aligned, show
from plan3d.planner.result import Plan, SearchResult

GOLDEN = """\
tiny|model on 16 x some-gpu (some-cluster): batch 16 x 2,048 tokens, bf16, adam
Best: tp2 pp4 dp2 mb1 zero1 sp selective
2 s per step, MFU 50.0 %, 1,024 tokens/s per GPU, 40.0 of 80.0 GiB
1.416 B tokens: 1.0 days, 384 GPU hours, 768 USD, 154 kWh
1,040 legal layouts, 628 fit in memory; proven best of 628 by time (exhaustive, 1,040 evaluated), \
in 250 ms
412 of 1,040 do not fit: raise pp

Plans
#  layout                              step     MFU  tok/s/GPU   GiB  free  bubble  behind  alike
1  tp2 pp4 dp2 mb1 zero1 sp selective   2 s  50.0 %      1,024  40.0  40.0  20.0 %   0.0 %      3

Why they stand there
#  why
1  the best

Where the step goes (the terms add up)
term                             time    share
matrix products                   1 s   50.0 %
attention core                 250 ms   12.5 %
tensor-parallel communication  250 ms   12.5 %
pipeline bubble                400 ms   20.0 %
data-parallel communication    100 ms    5.0 %
step                              2 s  100.0 %

Communication (exposed lengthens the step; on the link, hidden or not)
kind             exposed  on the link
tensor parallel   250 ms       500 ms
data parallel     100 ms       300 ms

Memory of the fullest stage, 1 of 4, in the backward pass of a block
term                            GiB  of capacity
parameters                      8.0       10.0 %
gradients                       8.0       10.0 %
optimizer states               12.0       15.0 %
activations kept for backward   6.0        7.5 %
CUDA context and libraries      2.0        2.5 %
fragmentation margin            4.0        5.0 %
peak                           40.0       50.0 %
free                           40.0       50.0 %
capacity                       80.0      100.0 %

Figures of merit
figure                                 value
MFU                    50.0 % of 300 TFLOP/s
HFU                                   62.5 %
tokens/s                              16,384
tokens/s per GPU                     1,024.0
redundant computation                 25.0 %
peak memory                           50.0 %
communication exposed                 17.5 %

Layouts that cannot be used
reason  layouts
memory      412

Again: plan3d estimate --model tiny --gpus 16 --layout \
tp=2,pp=4,dp=2,micro_batch=1,sp=1,zero=1,shard=2,recompute=selective

- MFU: matrix products of the model (the output projection counts, the embedding does not) with \
full attention, 6 N + 12 l h s per token (PaLM, arXiv:2204.02311, appendix B), over the dense \
peak; HFU counts recomputation, too
- software some-software: the default
- plan3d 9.9, analytical model; hardware some-cluster (abc123), software some-software
"""


def test_the_terminal_shows_the_golden_report(
    question: Question, result: SearchResult, capsys: pytest.CaptureFixture[str]
) -> None:
    show(report.of_search(question, result))
    assert capsys.readouterr().out == GOLDEN


def test_one_layout(question: Question, plan: Plan) -> None:
    shown = report.of_layout(question, plan)
    assert shown.answer[1] == "Layout: tp2 pp4 dp2 mb1 zero1 sp selective"
    assert shown.tables[0].title.startswith("Where the step goes")


def test_nothing_fits(question: Question, nothing: SearchResult) -> None:
    shown = report.of_search(question, nothing)
    assert shown.answer[1:4] == (
        "Nothing fits: of 3 legal layouts none is within the memory (in 250 ms).",
        "Nearest: tp1 pp1 dp16 mb1",
        "2 s per step, MFU 50.0 %, 1,024 tokens/s per GPU, "
        "does NOT fit: 84.0 of 80.0 GiB, 4.0 GiB too much",
    )
    assert shown.answer[-1] == "the nearest misses by 4.0 GiB: raise pp"
    memory = next(table for table in shown.tables if table.title.startswith("Memory"))
    assert ("missing", "4.0", "5.0 %") in memory.rows


def test_nothing_is_legal(question: Question, nothing: SearchResult) -> None:
    certificate = replace(nothing.certificate, legal=0)
    empty = replace(nothing, nearest=None, certificate=certificate, infeasible={"node": 1})
    shown = report.of_search(question, empty)
    assert shown.answer[1] == "No layout is legal (in 250 ms)."
    assert [table.title for table in shown.tables] == ["Layouts that cannot be used"]
    assert shown.again == ""


def test_markdown_escapes_what_it_would_read(question: Question, result: SearchResult) -> None:
    lines = markdown(report.of_search(question, result)).splitlines()
    assert lines[:5] == [
        "# plan3d",
        "",
        "- tiny\\|model on 16 x some-gpu (some-cluster): batch 16 x 2,048 tokens, bf16, adam",
        "- Best: tp2 pp4 dp2 mb1 zero1 sp selective",
        "- 2 s per step, MFU 50.0 %, 1,024 tokens/s per GPU, 40.0 of 80.0 GiB",
    ]
    start = lines.index("## Layouts that cannot be used")
    assert lines[start - 1 : start + 10] == [
        "",
        "## Layouts that cannot be used",
        "",
        "| reason | layouts |",
        "| :-- | --: |",
        "| memory | 412 |",
        "",
        "## Again",
        "",
        "    plan3d estimate --model tiny --gpus 16 --layout "
        "tp=2,pp=4,dp=2,micro_batch=1,sp=1,zero=1,shard=2,recompute=selective",
        "",
    ]
    assert lines[-1].startswith("- plan3d 9.9, analytical model")


def test_plain_text_is_aligned() -> None:
    table = report.Table(
        title="T", head=("name", "n", "why"), rows=(("a", "1,000", "x"), ("bbbbb", "2", "")),
        words=(0, 2),
    )  # fmt: skip
    assert aligned(table) == "T\nname       n  why\na      1,000  x\nbbbbb      2"
