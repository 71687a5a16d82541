"""Names of runs and datasets are shown as they are: never as markdown, HTML or a Plotly "
"template."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.charts.text import chart_name, escape, short
from engine.runs import RunStore
from tests.support.pages import PAGES

MAIN = Path(__file__).resolve().parents[2] / "app" / "navigation.py"
DATA = "synthetic:users=60,items=40,interactions=900,image=12,text=8,seed=1"
EVIL = "![x](http://evil.example/x.png) <b>bold</b> %{evil} **strong**"
DRAWN = ("name", "hovertemplate", "text", "ticktext", "customdata")
SIGNS = ("![x]", "<b>bold", "%{evil}", "**strong")


@pytest.fixture
def named_badly(trained: RunStore):
    """The trained runs under names that are markup, as long as the test lasts."""
    ids = sorted(trained.list()["id"])
    names = {run: trained.get(run).name for run in ids}
    for run in ids:
        trained.get(run).label(name=f"{EVIL} {names[run]}")
    yield trained
    for run, name in names.items():
        trained.get(run).label(name=name)


def rendered(value: object, key: str = "") -> list[str]:
    """The texts of a figure that Plotly draws, not the keys that it sorts by."""
    if isinstance(value, dict):
        return [t for name, inner in value.items() for t in rendered(inner, name)]
    if isinstance(value, list):
        return [t for inner in value for t in rendered(inner, key)]
    return [value] if isinstance(value, str) and key in DRAWN else []


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("named_badly")
def test_no_page_reads_markup_out_of_a_runs_name(page: str) -> None:
    test = AppTest.from_file(str(MAIN), default_timeout=180)
    test.session_state["dataset"] = DATA
    test.run()
    if page != "overview":
        test.switch_page(f"views/{page}.py").run()
    assert not test.exception, test.exception[0].message
    kinds = ("markdown", "caption", "info", "warning", "error", "success", "header", "subheader")
    texts = [element.value for kind in kinds for element in getattr(test, kind)]
    for chart in test.get("plotly_chart"):
        texts += rendered(json.loads(chart.proto.spec))
    raw = [(sign, text[:300]) for text in texts for sign in SIGNS if sign in text]
    assert not raw


def test_what_is_escaped_reads_as_before_to_a_browser() -> None:
    from html import unescape

    for text in (EVIL, "a_b __init__ _x_", 'q "z" & $x$ ~~s~~ `c` | t', "- a", "1. a", "plain"):
        assert unescape(escape(text)) == text
    assert escape("my_run, seed 3 (0.1): a/b.csv") == "my_run, seed 3 (0.1): a/b.csv"
    assert escape("a\n# b") == "a # b"


def test_a_long_name_keeps_its_beginning_and_end() -> None:
    name = "learning rate 0.001, width 64, epochs 300, seed 17"
    assert len(short(name)) == 32
    assert short(name).startswith("learning rate")
    assert short(name).endswith("seed 17")
    assert chart_name("<i>") == "&#60;i&#62;"


@pytest.mark.parametrize("way", ["typed", "linked"])
def test_a_dataset_with_markup_in_its_name_is_named_as_it_is(way: str, nothing: RunStore) -> None:
    test = AppTest.from_file(str(MAIN), default_timeout=180)
    if way == "typed":
        test.session_state["dataset"] = f"/no/{EVIL}"
    else:
        test.query_params["dataset"] = f"/no/{EVIL}"
    test.run()
    (message,) = test.error if way == "typed" else test.warning
    assert "&#91;x&#93;" in message.value
    assert not any(sign in message.value for sign in SIGNS)
