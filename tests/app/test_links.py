"""What a link may open: datasets that are known here, and nothing that it makes up."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.charts.text import escape
from engine.runs import RunStore
from tests.app.conftest import DATA

MAIN = Path(__file__).resolve().parents[2] / "app" / "navigation.py"


def opened_with(dataset: str) -> AppTest:
    test = AppTest.from_file(str(MAIN), default_timeout=180)
    test.query_params["dataset"] = dataset
    return test.run()


@pytest.mark.parametrize(
    "dataset",
    [
        "synthetic:users=100000000,items=100000,interactions=1000000000",
        "/etc",
        "![x](http://evil.example/x.png)",
    ],
)
def test_a_link_cannot_name_a_dataset_that_is_not_known_here(
    nothing: RunStore, dataset: str
) -> None:
    test = opened_with(dataset)
    assert not test.exception
    (warning,) = test.warning
    assert f"names dataset {escape(dataset)}," in warning.value
    assert test.query_params["dataset"] == "sample"


def test_a_link_may_name_the_dataset_of_a_run(trained: RunStore) -> None:
    test = opened_with(DATA)
    assert not test.exception
    assert not test.warning
    assert test.session_state["dataset"] == DATA
