"""The table on the first page: a row a run, or a row a strategy with its seeds' interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from app.panels.overview.headline import by_strategy, in_words
from engine.evaluation import mean_interval


def test_runs_of_one_seed_are_shown_as_they_are() -> None:
    runs = pd.DataFrame({"Run": ["a", "b"], "Strategy": ["a", "b"], "Clean": [0.1, 0.2]})
    assert by_strategy(runs).to_dict("list") == {"Run": ["a", "b"], "Clean": [0.1, 0.2]}


def test_seeds_become_a_mean_and_half_an_interval_and_one_seed_has_none() -> None:
    attacked = [0.05, 0.07, 0.06, 0.15]
    runs = pd.DataFrame(
        {
            "Run": ["mg, seed 0", "mg, seed 1", "mg, seed 2", "amr"],
            "Strategy": ["mg", "mg", "mg", "amr"],
            "Clean": [0.1, 0.2, 0.15, 0.16],
            "Under attack": attacked,
        }
    )
    rows = by_strategy(runs).set_index("Run")
    expected = mean_interval(np.array(attacked[:3]))
    assert rows.loc["mg", "Under attack"] == pytest.approx(expected.mean)
    assert rows.loc["mg", "± under attack"] == pytest.approx(expected.high - expected.mean)
    assert list(rows["Seeds"]) == [3, 1]
    assert np.isnan(rows.loc["amr", "± clean"])
    assert "**amr** keeps **94%**" in in_words(rows.reset_index())


def test_no_share_under_attack_stands_without_the_reliance_beside_it() -> None:
    rows = pd.DataFrame(
        {
            "Run": ["plain", "amr"],
            "Clean": [0.2, 0.2],
            "Under attack": [0.1, 0.19],
            "Reliance": [0.12, 0.01],
        }
    )
    sentence = in_words(rows)
    assert "**amr** keeps **95%** of its accuracy (reliance on features 0.010)" in sentence
    assert "**plain** keeps **50%** of its accuracy (reliance on features 0.120)" in sentence
