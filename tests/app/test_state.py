"""Which runs are looked at, how they are called, and how they are drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from app.charts.style import KNOWN_STRATEGIES, looks
from app.panels.train.strategy_form import name_of
from app.selection.choice import Choice, default_runs, looks_of_runs
from app.selection.run_labels import group_labels, with_groups
from app.selection.strategy_picker import several_seeds, with_strategies
from engine.evaluation import metric_intervals
from engine.runs.comparison.comparison_tables import (
    seeds_table,
    settings_that_differ,
    unusual_settings,
)


def table(names: list[str], seeds: list[int], widths: list[float] | None = None) -> pd.DataFrame:
    count = len(names)
    frame = pd.DataFrame(
        {
            "id": [f"2026-{i:03d}-{name}-{i:04x}" for i, name in enumerate(names)],
            "name": names,
            "fingerprint": "f",
            "seed": seeds,
            "config.seed": seeds,
            "config.width": widths or [8.0] * count,
            "test.recall@20": np.linspace(0.1, 0.2, count),
        }
    )
    frame["label"] = group_labels(frame)
    return with_groups(frame)


def test_runs_that_differ_only_in_the_seed_are_one_group() -> None:
    runs = with_groups(table(["plain, seed 0", "plain, seed 1", "wide"], [0, 1, 0], [8, 8, 16]))
    assert list(runs["group"]) == ["plain", "plain", "wide"]


def test_compute_matched_seeds_are_one_group_beside_the_plain_one() -> None:
    runs = table(["plain", "plain", "long", "long"], [0, 1, 0, 1])
    runs["config.match_gradient_passes"] = [np.nan, np.nan, 1716.0, 1800.0]
    assert list(with_groups(runs)["group"]) == ["plain", "plain", "long", "long"]


def test_runs_matched_to_different_strategies_are_groups_of_their_own() -> None:
    runs = table(["plain as mg", "plain as mg", "plain as amr", "plain as amr"], [0, 1, 0, 1])
    runs["config.match_gradient_passes"] = [1716.0, 1800.0, 2400.0, 2500.0]
    assert list(with_groups(runs)["group"]) == list(runs["name"])


def test_groups_of_equal_names_are_told_apart() -> None:
    runs = with_groups(table(["plain", "plain"], [0, 0], [8, 16]))
    assert runs["group"].nunique() == 2


def test_settings_that_one_run_lacks_do_not_break_the_grouping() -> None:
    runs = with_groups(table(["a", "b"], [0, 0], [8, np.nan]))
    assert list(runs["group"]) == ["a", "b"]


def test_a_setting_that_is_unset_or_was_not_yet_known_is_no_difference() -> None:
    runs = table(["plain", "plain"], [0, 1])
    runs["config.noise"] = pd.Series([None, np.nan], dtype=object)
    assert list(with_groups(runs)["group"]) == ["plain", "plain"]


def test_labels_are_unique_where_names_repeat() -> None:
    assert group_labels(table(["plain", "plain", "mg"], [0, 1, 0])).is_unique


def test_a_later_run_of_the_same_name_gets_its_seed_else_the_end_of_its_id() -> None:
    runs = table(["mg", "mg", "plain", "plain", "plain", "amr"], [0, 1, 3, 3, 3, 0])
    assert list(group_labels(runs)) == [
        "mg", "mg, seed 1", "plain", "plain, seed 3", "plain · 0004", "amr",
    ]  # fmt: skip


def test_later_runs_do_not_change_what_a_run_is_called() -> None:
    names, seeds = ["plain", "mg", "plain", "plain", "mg"], [0, 0, 0, 1, 0]
    every = list(group_labels(table(names, seeds)))
    for n in range(1, len(names)):
        assert list(group_labels(table(names[:n], seeds[:n]))) == every[:n]


def test_choosing_a_strategy_adds_its_seeds_and_dropping_it_takes_them_away() -> None:
    runs = with_groups(table(["mg", "mg", "sam", "sam", "amr"], [0, 1, 0, 1, 0], [8, 8, 9, 9, 10]))
    mg, sam, (amr,) = (list(runs.loc[runs["name"] == n, "id"]) for n in ("mg", "sam", "amr"))
    seeds = several_seeds(runs, [amr])
    assert seeds == {"mg": mg, "sam": sam}
    assert with_strategies([amr], seeds, ["mg"]) == sorted([*mg, amr])
    assert with_strategies([*mg, amr, sam[0]], seeds, []) == sorted([amr, sam[0]])
    assert with_strategies([*mg], seeds, ["mg", "sam"]) == sorted([*mg, *sam])


def test_strategies_are_offered_on_the_dataset_that_is_looked_at() -> None:
    runs = with_groups(table(["mg", "mg", "sam", "sam"], [0, 1, 0, 1], [8, 8, 9, 9]))
    runs.loc[runs["name"] == "sam", "fingerprint"] = "other"
    assert list(several_seeds(runs, [runs["id"][3]])) == ["sam"]
    assert list(several_seeds(runs, [])) == ["mg"]


def test_all_seeds_of_the_newest_strategies_are_shown_first() -> None:
    names_given = ["a", "b", "b", "c", "d", "e", "f"]
    runs = table(names_given, [0, 0, 1, 0, 0, 0, 0], [1, 2, 2, 3, 4, 5, 6])
    runs = with_groups(runs.iloc[::-1].reset_index(drop=True))
    runs.loc[runs["name"] == "e", "fingerprint"] = "other"
    names = runs.set_index("id").loc[default_runs(runs), "name"]
    assert list(names) == ["b", "b", "c", "d", "f"]


def test_a_strategy_looks_the_same_on_every_dataset_and_beside_any_others() -> None:
    mine = table(["amr", "plain", "mine"], [0, 0, 0], [1, 2, 3])
    other = table(["mine", "sam", "plain, seed 4", "later"], [0, 0, 4, 0], [1, 2, 3, 4])
    first, second = (looks_of_runs(runs, list(runs["id"])) for runs in (mine, other))
    assert first["plain"] == second["plain, seed 4"] == looks(["plain"])["plain"]
    assert first["mine"] == second["mine"]
    assert looks_of_runs(mine, [mine["id"][1]])["plain"] == first["plain"]


def test_presets_are_all_known_and_the_first_six_differ_in_colour() -> None:
    from engine.training import PRESETS

    assert set(PRESETS) == set(KNOWN_STRATEGIES)
    styles = looks(KNOWN_STRATEGIES)
    assert len(set(styles.values())) == len(KNOWN_STRATEGIES)
    assert len({styles[name].colour for name in KNOWN_STRATEGIES[:6]}) == 6


def test_strategies_of_any_names_look_different() -> None:
    names = [f"width {i}" for i in range(20)]
    assert len(set(looks(names).values())) == 20


def test_seeds_of_a_strategy_look_alike_beside_others_and_differ_in_dashes_alone() -> None:
    runs = table(["mg", "mg", "sam", "sam"], [0, 1, 0, 1], [8, 8, 9, 9])
    together = looks_of_runs(runs, list(runs["id"]))
    assert together["mg"] == together["mg, seed 1"] != together["sam"]
    alone = looks_of_runs(runs, list(runs["id"][:2]))
    assert alone["mg"].colour == alone["mg, seed 1"].colour == together["mg"].colour
    assert alone["mg"].dash != alone["mg, seed 1"].dash


def test_intervals_come_from_seeds() -> None:
    names = [f"{g}, seed {s}" for g in ("plain", "amr") for s in range(3)]
    runs = table(names, [0, 1, 2] * 2, [8.0] * 3 + [16.0] * 3)
    runs["test.recall@20"] = [0.10, 0.12, 0.14, 0.20, 0.22, 0.25]
    values = seeds_table(runs, ["recall@20"])
    mean = metric_intervals(values, ["recall@20"]).set_index("group")
    assert mean.loc["plain", "mean"] == pytest.approx(0.12)
    assert mean.loc["plain", "low"] < 0.12 < mean.loc["plain", "high"]


def test_one_seed_has_no_interval() -> None:
    values = seeds_table(table(["plain", "amr"], [0, 0], [8, 16]), ["recall@20"])
    assert metric_intervals(values, ["recall@20"])["low"].isna().all()


def test_only_settings_that_differ_are_listed() -> None:
    differing = settings_that_differ(table(["a", "b"], [0, 0], [8, 16]))
    assert list(differing["setting"]) == ["width"]


def test_a_strategy_is_called_the_same_on_every_dataset() -> None:
    runs = table(["plain", "plain"], [0, 0])
    runs["fingerprint"] = ["one", "other"]
    assert list(with_groups(runs)["group"]) == ["plain", "plain"]


def test_a_run_is_set_apart_by_the_settings_that_most_runs_do_not_have() -> None:
    runs = table(["a", "b", "c"], [0, 1, 2], [8, 8, 16])
    runs["config.noise"] = [None, None, "gaussian"]
    assert list(unusual_settings(runs)) == ["", "", "width 16, noise gaussian"]
    assert list(unusual_settings(runs, most=1)) == ["", "", "width 16, ..."]


def test_a_run_that_nobody_named_is_called_by_what_differs_from_its_preset() -> None:
    from engine.training import PRESETS

    plain = PRESETS["plain"][1]
    assert name_of("plain", plain, plain.changed({"seed": 4})) == "plain"
    changed = plain.changed({"epochs": 7, "optimiser.learning_rate": 0.01})
    assert set(name_of("plain", plain, changed).split(", ")) == {
        "plain", "epochs 7", "learning rate 0.01",
    }  # fmt: skip


def test_of_many_runs_one_of_each_strategy_has_a_picture() -> None:
    few = with_groups(table(["a", "a", "b"], [0, 1, 0], [1, 1, 2]))
    many = with_groups(table(["a"] * 5 + ["b"] * 5, [*range(5)] * 2, [1] * 5 + [2] * 5))
    for runs, drawn in ((few, list(few["id"])), (many, [many["id"][0], many["id"][5]])):
        choice = Choice(list(runs["id"]), {}, {}, runs.sort_values("id"))
        assert choice.one_a_strategy().ids == drawn
