"""Runs of one strategy under several seeds are told from runs that only share a name."""

from __future__ import annotations

import time
from pathlib import Path

from engine.runs import RunStore
from engine.runs.strategies import strategy_names


def test_seeds_are_one_strategy_and_other_settings_of_the_same_name_another(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")

    def made(name: str, **config: object) -> object:
        time.sleep(0.002)  # ids sort by the millisecond
        return store.create({"width": 8, "device": "cpu", **config}, {}, name=name)

    runs = [
        made("plain", seed=0),
        made("plain, seed 1", seed=1, device="cuda", noise=None),
        made("plain", seed=0, width=16),
        made("mg", seed=0),
        made("as mg", seed=0, match_gradient_passes=70),
        made("as mg", seed=1, match_gradient_passes=90),
        made("plain", seed=0, match_gradient_passes=90),
    ]
    expected = ["plain", "plain", "plain (2)", "mg", "as mg", "as mg", "plain (3)"]
    assert strategy_names(runs) == expected
    assert strategy_names(runs[::-1]) == expected[::-1], "whatever the order they are given in"
