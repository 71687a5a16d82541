"""Words are explained once, and the sidebar of every page offers them all."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.widgets.glossary import GLOSSARY, explain

MAIN = Path(__file__).resolve().parents[2] / "app" / "navigation.py"


def test_terms_stand_in_order_and_say_more_than_their_name() -> None:
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.lower)
    assert all(len(text) > 30 and not text.endswith(".") for text in GLOSSARY.values())
    assert explain("Nats").startswith("**Nats**: the unit")


@pytest.mark.usefixtures("nothing")
def test_the_sidebar_offers_all_words() -> None:
    test = AppTest.from_file(str(MAIN), default_timeout=180).run()
    assert any("**Frozen triples**" in text.value for text in test.sidebar.markdown)
