"""The page as text: whole, safe, small, and with everything that the study says."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from plan3d.cli.html.page import page
from plan3d.cli.report import of_search
from plan3d.cli.sections import sections
from plan3d.cli.study import Study, study
from plan3d.planner.result import SearchResult

VOID = {"meta", "input", "link", "br", "img"}
LARGEST = 2_000_000


class Reader(HTMLParser):
    """Collects elements, ids, and text outside of scripts; refuses what is not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)

    def having(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def text(full: Study) -> str:
    return page(full)


@pytest.fixture(scope="module")
def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_it_is_small_and_needs_nothing_else(text: str, read: Reader) -> None:
    assert len(text.encode()) < LARGEST
    assert not [tag for tag, _ in read.tags if tag in ("link", "img", "iframe", "object", "base")]
    for tag, attributes in read.tags:
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, name)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_the_policy_lets_in_what_is_there_and_nothing_else(text: str, read: Reader) -> None:
    policy = read.having("meta")[1]["content"] or ""
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for name in ("style", "script"):
        (inside,) = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert not [tag for tag, attributes in read.tags if "style" in attributes]
    assert not [n for _, attributes in read.tags for n in attributes if n.startswith("on")]


def test_a_hostile_name_is_text(hostile: str, text: str, read: Reader) -> None:
    assert text.count("<script>") == 1
    shown = "".join(read.text)
    assert "<script>alert(1)</script><img src=http://x.example/ onerror=alert(2)>" in shown
    assert hostile[-2:] not in shown  # neither turns the text around nor rings a bell
    assert "\u202e" not in text


def test_ids_are_unique_and_links_arrive(read: Reader) -> None:
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    used = [
        target for _, attributes in read.tags for name in ("href", "xlink:href")
        if (target := attributes.get(name))
    ]  # fmt: skip
    clips = [a["clip-path"] for _, a in read.tags if "clip-path" in a]
    used += [str(clip)[len("url(") : -1] for clip in clips]
    assert {target[1:] for target in used} <= set(ids)


def test_landmarks_and_names(read: Reader) -> None:
    for landmark in ("header", "nav", "main", "footer", "h1"):
        assert len(read.having(landmark)) == 1
    ids = {attributes.get("id") for _, attributes in read.tags}
    assert all(section["aria-labelledby"] in ids for section in read.having("section"))
    assert all(drawn["role"] == "img" and drawn["aria-label"] for drawn in read.having("svg"))
    assert all(cell["scope"] in ("col", "row") for cell in read.having("th"))
    assert len(read.having("caption")) == len(read.having("table"))


def test_everything_is_said(full: Study, read: Reader) -> None:
    shown = " ".join("".join(read.text).split())
    for section in sections(full):
        assert section.title in shown
        for table in section.tables:
            assert all(cell in shown for row in table.rows for cell in row), table.title
    drawn = {"breakdown", "memory", "timeline", "roofline", "pareto", "scaling"}
    assert {attributes["class"] for attributes in read.having("svg")} == drawn


def test_the_answer_comes_first(full: Study, text: str) -> None:
    answer = text[text.index('id="answer"') : text.index('id="why"')]
    assert full.plan is not None
    for label in ("Days", "US dollars", "Step", "MFU", "Memory"):
        assert f"<dt>{label}</dt>" in answer
    assert answer.count(" in 90 %") >= 3


def test_where_nothing_can_be_used(full: Study) -> None:
    result = replace(full.case.result, plans=(), nearest=None)
    case = replace(full.case, result=result)
    shown = page(study(case, of_search(case.question, result)))
    assert "No layout is legal" in shown
    assert "<svg" not in shown


def test_the_nearest_where_nothing_fits(full: Study, nothing: SearchResult) -> None:
    plan = full.case.result.plans[0]
    memory = replace(plan.estimate.memory, activations_bytes=1e12)
    miss = replace(plan, estimate=replace(plan.estimate, memory=memory))
    result = replace(full.case.result, plans=(), nearest=miss, advice=nothing.advice)
    case = replace(full.case, result=result, searched=False)
    shown = page(study(case, of_search(case.question, result)))
    assert "Nothing fits; the nearest layout" in shown
    assert "does not fit" in shown


def test_script_and_style_are_shipped() -> None:
    folder = Path(page.__code__.co_filename).parent
    assert {"page.html.j2", "script.js", "style.css"} <= {path.name for path in folder.iterdir()}
