"""The Compare page says what the engine's own comparison says, and what each interval is over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.charts.metrics import paired_differences
from app.panels.compare.differences import differences_caption
from app.selection.run_labels import with_groups
from engine.evaluation import UserMetrics, bootstrap_interval, mean_interval
from engine.jobs import run_here
from engine.runs import RunStore
from engine.runs.comparison.comparison_tables import (
    baseline_differences,
    seeds_table,
    strategies_table,
)
from engine.studies.new_run import create_run
from engine.training import preset

MAIN = Path(__file__).resolve().parents[2] / "app" / "navigation.py"
DATA = "synthetic:users=60,items=40,interactions=900,image=12,text=8,seed=1"
METRIC = "recall@20"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two strategies of three seeds."""
    store = RunStore(tmp_path_factory.mktemp("compared"))
    for name in ("plain", "mg"):
        for seed in range(3):
            config = preset(
                name, {"epochs": 3, "batch_size": 256, "seed": seed, "device": "cpu",
                       "model.width": 8},
            )  # fmt: skip
            run = create_run(store, DATA, config, f"{name}, seed {seed}")
            run_here(store, "train", {"run": run.id}, run_ids=[run.id])
    return store.root


@pytest.fixture
def values(folder: Path) -> pd.DataFrame:
    return seeds_table(with_groups(RunStore(folder).list()), [METRIC])


def by_run(values: pd.DataFrame) -> dict[str, str]:
    return dict(zip(values["id"], values["group"], strict=True))


def test_differences_over_seeds_and_users_match_their_obvious_twin(
    folder: Path, values: pd.DataFrame
) -> None:
    store = RunStore(folder)
    gaps = baseline_differences(strategies_table(store, by_run(values), METRIC, "plain")).set_index(
        "over"
    )
    assert list(gaps["group"]) == ["mg", "mg"]
    per_seed, per_user = [], []
    for seed in range(3):
        pair = {
            group: store.get(str(values[(values["group"] == group) & (values["seed"] == seed)]
                                 ["id"].iloc[0]))
            for group in ("plain", "mg")
        }  # fmt: skip
        test = {group: run.summary["test"][METRIC] for group, run in pair.items()}
        per_seed.append(test["mg"] - test["plain"])
        users = {g: run.load_result(UserMetrics).values(METRIC) for g, run in pair.items()}
        per_user.append(users["mg"] - users["plain"])
    for over, expected in (
        ("seeds", mean_interval(np.array(per_seed))),
        ("users", bootstrap_interval(np.mean(per_user, axis=0))),
    ):
        row = gaps.loc[over]
        found = (row["mean"], row["low"], row["high"], row["n"])
        assert found == pytest.approx((expected.mean, expected.low, expected.high, expected.n))
    assert gaps.loc["users", "mean"] == pytest.approx(gaps.loc["seeds", "mean"], abs=1e-6)


def test_a_run_without_kept_users_has_no_interval_over_users(
    folder: Path, values: pd.DataFrame
) -> None:
    table = strategies_table(RunStore(folder), by_run(values), METRIC, "plain")
    without = table.assign(by_user=np.nan, by_user_low=np.nan, by_user_high=np.nan)
    gaps = baseline_differences(without)
    assert list(gaps["over"]) == ["seeds"]
    caption = differences_caption(gaps, "shop", "plain", METRIC)
    assert "did not keep each user's metrics" in caption


def test_strategies_without_a_common_seed_are_left_out(values: pd.DataFrame, folder: Path) -> None:
    apart = values[((values["group"] == "plain") & (values["seed"] == 0))
                   | ((values["group"] == "mg") & (values["seed"] == 1))]  # fmt: skip
    table = strategies_table(RunStore(folder), by_run(apart), METRIC, "plain")
    assert baseline_differences(table).empty


def test_a_difference_whose_interval_holds_zero_is_said_to() -> None:
    gaps = pd.DataFrame(
        [("mg", "seeds", 0.01, -0.01, 0.03, 3), ("mg", "users", 0.01, 0.005, 0.015, 60)],
        columns=["group", "over", "mean", "low", "high", "n"],
    )
    caption = differences_caption(gaps, "shop", "plain", METRIC)
    assert "Over seeds, zero lies inside for mg." in caption
    assert "Over users, zero" not in caption
    assert "60 users" in caption


def test_every_interval_is_drawn_once() -> None:
    gaps = pd.DataFrame(
        [(g, over, 0.1, 0.0, 0.2, 3) for g in ("mg", "amr") for over in ("seeds", "users")],
        columns=["group", "over", "mean", "low", "high", "n"],
    )
    figure = paired_differences(gaps, "plain", METRIC)
    assert len(figure.data) == 4
    assert {trace.legendgroup for trace in figure.data} == {"seeds", "users"}
    heights = [trace.y[0] for trace in figure.data]
    assert len(set(heights)) == 4


def test_the_page_shows_both_intervals_the_costs_and_says_which_is_which(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASIN_RUNS", str(folder))
    test = AppTest.from_file(str(MAIN), default_timeout=180)
    test.session_state["dataset"] = DATA
    test.query_params["runs"] = ",".join(sorted(RunStore(folder).list()["id"]))
    test.run()
    test.switch_page("views/compare.py").run()
    assert not test.exception
    assert not test.error
    captions = " ".join(caption.value for caption in test.caption)
    assert "Filled, over seeds" in captions
    assert "bootstrap interval" in captions
    assert "Gradient passes and wall time" in captions
    tables = [frame.value for frame in test.dataframe if "gradient_passes" in frame.value]
    assert list(tables[0]["strategy"]) in (["plain", "mg"], ["mg", "plain"])
    assert {"difference_low", "by_user_low", "effect_size", "seconds"} <= set(tables[0])
