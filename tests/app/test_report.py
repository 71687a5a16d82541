"""The report: one HTML file that needs nothing else, and says what is missing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.report import report_of
from app.report.__main__ import main
from engine.foundation.errors import RunError
from engine.runs import RunStore


class Outline(HTMLParser):
    """Headings of a page, and whatever it would load from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.loads: list[str] = []
        self.scripts = 0
        self._in_heading = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._in_heading = tag in ("h1", "h2")
        self.scripts += tag == "script"
        self.loads += [v for k, v in attrs if k in ("src", "href") and tag != "a"]

    def handle_endtag(self, tag):
        self._in_heading = False

    def handle_data(self, data):
        if self._in_heading:
            self.headings.append(data)


def test_a_report_has_every_section_and_loads_nothing(trained: RunStore) -> None:
    ids = list(trained.list()["id"])
    text = report_of(trained, ids)
    outline = Outline(text)
    assert outline.headings[0].startswith("Basin report: plain, amr")
    sections = ("Accuracy", "Training", "Minima", "Robustness", "Settings that differ")
    assert set(sections) <= set(outline.headings)
    assert not outline.loads
    assert "One seed of amr, plain: differences may be chance." in text
    assert "objective.adversary.epsilon" in text
    assert "Not computed" not in text
    assert report_of(trained, ids[::-1]).count("<figure") == text.count("<figure") >= 6


def test_what_was_not_computed_is_named_with_its_command(trained: RunStore) -> None:
    amr = trained.list().set_index("name").loc["amr", "id"]
    text = report_of(trained, [amr])  # slices and curves lie with the first run compared
    assert "python -m engine slice RUN" in text
    assert "python -m engine robustness RUN" in text


def test_names_are_text(trained: RunStore) -> None:
    run = trained.get(trained.list()["id"].iloc[0])
    before = run.name
    run.label(name="<script>alert(1)</script>")
    try:
        text = report_of(trained, [run.id])
    finally:
        run.label(name=before)
    assert "<script>alert" not in re.sub(
        r"<script[^>]*>.*?</script>", "", text, count=1, flags=re.S
    )


def test_unknown_runs_are_refused(trained: RunStore) -> None:
    with pytest.raises(RunError, match="nowhere"):
        report_of(trained, ["nowhere"])


def test_the_command_writes_the_file_or_says_why_not(
    trained: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids, root = list(trained.list()["id"]), ["--runs-folder", str(trained.root)]
    assert main([*ids, *root, "--output", str(tmp_path / "report.html")]) == 0
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert main([*ids, *root, "--output", str(tmp_path / "no" / "report.html")]) == 1
    assert main(["nowhere", *root]) == 1
    assert capsys.readouterr().err.count("error: ") == 2
