"""The trade-off chart draws what the tables hold: runs, means, the path over epsilon, the line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from app.charts.tradeoff import tradeoff_caption, tradeoff_scatter
from engine.robustness.standard import tradeoff_means
from tests.app.test_pages import opened


def points(with_line: bool = True) -> pd.DataFrame:
    strategies = ["plain", "plain", "amr small", "amr", "mf"]
    return pd.DataFrame(
        {
            "label": [f"{s} {i}" for i, s in enumerate(strategies)],
            "strategy": strategies,
            "seed": [0, 1, 0, 0, 0],
            "epsilon": [np.nan, np.nan, 0.1, 0.3, np.nan],
            "path": ["", "", "amr small", "amr small", ""],
            "strength": 0.1,
            "is_attackable": [True] * 4 + [False],
            "clean": [0.4, 0.42, 0.4, 0.38, 0.35],
            "reliance": [0.3, 0.32, 0.2, 0.1, 0.0],
            "worst": [0.1, 0.12, 0.2, 0.3, 0.35],
            "worst_attack": ["pgd"] * 4 + [""],
            "kept": [0.25, 0.28, 0.5, 0.8, 1.0],
            "above_disuse": [-0.01, 0.01, 0.0, 0.02, 0.0] if with_line else np.nan,
        }
    )


def test_runs_means_the_path_and_the_line_of_disuse_are_drawn() -> None:
    table = points()
    figure = tradeoff_scatter(table, tradeoff_means(table), "recall@20")
    by_name = {trace.name: trace for trace in figure.data if trace.name}
    assert list(by_name["plain"].x) == [pytest.approx(0.31)]
    assert by_name["plain"].error_y.array[0] > 0
    assert not by_name["amr"].error_y.visible
    assert list(by_name["amr small by epsilon"].y) == [0.2, 0.3]
    np.testing.assert_allclose(
        by_name["disuse"].y, np.sort(table["worst"] - table["above_disuse"])[::-1]
    )
    runs = [x for trace in figure.data if trace.opacity for x in trace.x]
    assert sorted(runs) == sorted(table["reliance"])
    assert "above it lies robustness" in tradeoff_caption(table)


@pytest.mark.usefixtures("trained")
def test_the_compare_page_shows_reliance_beside_what_is_kept() -> None:
    test = opened("compare", tab="Reliance and robustness")
    assert any("relies on its features for" in text.value for text in test.markdown)
    assert not any(button.label == "Attack these runs" for button in test.button)
    before = test.get("plotly_chart")[-1].proto.spec
    test.segmented_control(key="tradeoff.strength").set_value(1.0).run()
    assert not test.exception
    assert test.get("plotly_chart")[-1].proto.spec != before


def test_without_a_model_that_sees_no_features_the_caption_says_what_to_add() -> None:
    table = points(with_line=False)
    figure = tradeoff_scatter(table, tradeoff_means(table), "recall@20")
    assert "disuse" not in {trace.name for trace in figure.data}
    assert "bpr-mf" in tradeoff_caption(table)
