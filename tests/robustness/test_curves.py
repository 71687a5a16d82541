"""Curves: paired, complete, and honest about what cannot move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from engine.evaluation import EvaluationConfig, evaluate, holm, mean_interval
from engine.foundation.errors import Cancelled, ConfigError
from engine.robustness import (
    CurveConfig,
    FGSMConfig,
    GaussianConfig,
    RobustnessCurves,
    bands,
    compare_strategies,
    half_strength,
    indifferent,
    kept_area,
    perturb,
    robustness_curves,
    summary,
)
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.perturbed_factors import factor_path
from engine.training import Trained

SMALL = CurveConfig(strengths=(0.0, 0.3, 1.0), n_draws=2, cutoffs=(5, 10))


@pytest.fixture(scope="module")
def curves(trained_models):
    return robustness_curves([trained_models["concat"], trained_models["graph"]], SMALL)


def test_every_cell_is_what_a_plain_evaluation_says(curves, trained_models, shop):
    frame = curves.to_frame()
    chosen = frame[(frame.metric == "ndcg@10") & (frame.strength == 0.3) & (frame.draw == 1)]
    assert len(chosen) == 2 * 3  # runs x (gaussian, swap, random control); fgsm has draw 0 only
    for row in chosen.itertuples():
        series = next(
            s for s in curves.series if (s["run"], s["perturbation"]) == (row.run, row.perturbation)
        )
        config = CurveConfig(kinds=(series["settings"],)).kinds[0]
        trained = trained_models[row.run]
        features = perturb(trained, config, 0.3, seed=0, draw=1)
        found = evaluate(
            *trained.model(features), shop, "test", EvaluationConfig(cutoffs=(5, 10))
        ).means()
        assert row.value == pytest.approx(found["ndcg@10"], abs=1e-12)


def test_strength_zero_is_the_clean_evaluation_bit_for_bit(curves, trained_models, shop):
    for series, values in zip(curves.series, curves.values, strict=True):
        users, items = trained_models[series["run"]].factors()
        clean = evaluate(users, items, shop, "test", EvaluationConfig(cutoffs=(5, 10))).means()
        for place, metric in enumerate(curves.metrics):
            drawn = values[0, :, place]
            assert (drawn[~np.isnan(drawn)] == clean[metric]).all()


def test_attacks_come_with_their_control(curves):
    kinds = {(s["perturbation"], s["control_of"]) for s in curves.series}
    assert kinds == {("gaussian", ""), ("swap", ""), ("fgsm", ""), ("random", "fgsm")}
    assert all(s["unit"] for s in curves.series)


def test_groups_and_users_add_up(curves):
    frame = curves.group_frame()
    assert {"popular", "tail", "category: blue", "noise-flagged", "not flagged"} <= set(frame.group)
    assert frame["value"].between(0, 1).all()
    users = curves.user_frame(0, 0.3)
    place = curves.metrics.index(curves.user_metric)
    assert users["perturbed"].mean() == pytest.approx(np.nanmean(curves.values[0, 1, :, place]))
    assert users["change"].is_monotonic_increasing


def test_the_result_survives_saving(curves, tmp_path):
    curves.save(tmp_path / "curves.npz")
    again = RobustnessCurves.load(tmp_path / "curves.npz")
    assert again.to_frame().equals(curves.to_frame())
    assert again.caption == curves.caption


def test_runs_on_equal_features_get_equal_draws(trained_models):
    twice = robustness_curves([trained_models["concat"], trained_models["concat"]], SMALL)
    np.testing.assert_array_equal(twice.values[0::2], twice.values[1::2])
    alone = robustness_curves([trained_models["concat"]], SMALL)
    np.testing.assert_array_equal(alone.values, twice.values[0::2])


def test_targeted_attacks_report_exposure(linear):
    config = CurveConfig(
        kinds=(GaussianConfig(), FGSMConfig(goal="promote", target_item=3)),
        strengths=(0.0, 0.5), n_draws=1, cutoffs=(5,),
    )  # fmt: skip
    frame = robustness_curves([linear], config).to_frame()
    ranks = frame[frame.metric == "target_rank"]
    assert set(ranks.perturbation) == {"fgsm", "random"}
    attack = ranks[ranks.perturbation == "fgsm"].set_index("strength").value
    assert attack[0.5] < attack[0.0]


def test_models_without_features_are_flat_and_say_why(featureless, linear):
    curves = robustness_curves([featureless, linear], SMALL)
    flat = curves.per_run("recall@10").query("run == 'mf'")
    assert (flat["drop"] == 0).all()
    assert any("mf reads no features" in note for note in curves.notes)
    assert "mf reads no features" in curves.caption


def test_bands_average_draws_then_seeds(curves):
    runs = curves.per_run("recall@10")
    table = bands(curves.per_run("recall@10"))
    assert set(table.n_seeds) == {2} or set(table.n_seeds) == {1}
    row = runs[(runs.perturbation == "gaussian") & (runs.strength == 1.0)].iloc[0]
    place = curves.metrics.index("recall@10")
    assert row.value == pytest.approx(np.nanmean(curves.values[0, 2, :, place]))
    assert row["drop"] == pytest.approx(row.clean - row.value)
    assert {"area", "half_strength", "n_halved"} <= set(
        summary(curves.per_run("recall@10")).columns
    )


def test_area_and_half_strength_of_a_straight_line():
    strengths = np.array([0.0, 0.5, 1.0])
    assert kept_area(strengths, 1 - strengths) == pytest.approx(0.5)
    assert half_strength(strengths, 1 - 0.8 * strengths) == pytest.approx(0.625)
    assert np.isnan(half_strength(strengths, 1 - 0.2 * strengths))
    assert np.isnan(kept_area(strengths, np.zeros(3)))


def test_configs_read_names_and_refuse_nonsense(linear, shop):
    assert [k.name for k in CurveConfig(kinds="gaussian, pgd").kinds] == ["gaussian", "pgd"]
    assert CurveConfig(strengths=(0.2, 0.1)).strengths == (0.0, 0.1, 0.2)
    with pytest.raises(ValidationError):
        CurveConfig(strengths=(-1.0,))
    with pytest.raises(ConfigError, match="between 0 and 1"):
        robustness_curves([linear], CurveConfig(kinds="swap", strengths=(0.0, 2.0)))
    with pytest.raises(ConfigError, match="no run"):
        robustness_curves([])
    other = replace(linear, dataset=replace(shop, n_users=61))
    with pytest.raises(ConfigError, match="different datasets"):
        robustness_curves([linear, other])


def test_cancel_reaches_the_work(linear):
    def stop(*_):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        robustness_curves([linear], SMALL, stop)


def test_strategies_are_compared_seed_by_seed_and_user_by_user(linear, trained_models):
    weak = replace(trained_models["graph"], label="weak seed 0")
    strong = replace(linear, label="strong seed 0")
    curves = robustness_curves(
        [weak, replace(weak, label="weak seed 1"), strong, replace(strong, label="strong seed 1")],
        SMALL, strategies=["weak", "weak", "strong", "strong"],
    )  # fmt: skip
    for place, series in enumerate(curves.series):
        series["seed"] = place % 2
    table = compare_strategies(curves, "weak", "strong")
    assert set(table.n_seeds) == {2}
    row = table[(table.perturbation == "fgsm") & (table.strength == 0.3)].iloc[0]
    attacked = bands(curves.per_run(curves.user_metric)).query(
        "perturbation == 'fgsm' & strength == 0.3"
    )
    means = attacked.set_index("strategy")["mean"]
    assert row.difference == pytest.approx(means["strong"] - means["weak"])
    assert row.user_low <= row.difference <= row.user_high
    tested = table[table.strength > 0]
    np.testing.assert_allclose(tested.p_holm, holm(tested.p_value.to_numpy()))
    assert table[table.strength == 0].p_holm.isna().all()
    corrected = table[table.says.str.startswith("a difference")]
    is_shown = corrected.says == "a difference over both seeds and users"
    assert (is_shown == ~(corrected.p_holm >= 0.05)).all()
    same = compare_strategies(curves, "weak", "weak")
    assert (same.difference == 0).all()
    assert same.says.str.contains("no difference").all()
    with pytest.raises(ConfigError, match="share no seed"):
        compare_strategies(curves, "weak", "absent")


def test_noise_at_the_projections_width_is_the_same_in_distribution(trained_models):
    for kind in ("concat", "sum"):
        model = ModelUnderTest(trained_models[kind])
        config, items = GaussianConfig(unit="absolute"), model.clean_factors[1]
        moved = {
            place: np.concatenate(
                [
                    (factor_path(model, config, 0, draw, draw_at=place)(1.0).item_factors - items)
                    for draw in range(250)
                ]
            )[:, -6:]
            for place in ("features", "projection")
        }
        exact = sum(
            gram.numpy() / model.width(m) for m, gram in model.grams.items()
        )  # every row has the same length in the absolute unit
        for sample in moved.values():
            np.testing.assert_allclose(sample.mean(axis=0), 0, atol=0.03)
            np.testing.assert_allclose(np.cov(sample.T), exact, atol=0.05 * exact.max())


def test_features_removed_is_what_zeros_for_every_item_give(curves, trained_models, shop):
    place = curves.metrics.index("recall@10")
    for series, removed in zip(curves.series, curves.removed, strict=True):
        trained = trained_models[series["run"]]
        zeros = {m: torch.zeros_like(x) for m, x in trained.features.items()}
        found = evaluate(
            *trained.model(zeros), shop, "test", EvaluationConfig(cutoffs=(5, 10))
        ).means()
        assert removed[place] == pytest.approx(found["recall@10"], abs=1e-12)


def test_removing_one_modality_leaves_the_other(linear, shop):
    found = robustness_curves([linear], SMALL.changed({"modalities": ["image", "both"]}))
    x = linear.features
    features = {"image": torch.zeros_like(x["image"]), "text": x["text"]}
    value = evaluate(*linear.model(features), shop, "test", EvaluationConfig(cutoffs=(10,)))
    rows = found.per_run("recall@10").drop_duplicates("modality").set_index("modality")
    assert rows.loc["image", "removed"] == pytest.approx(value.means()["recall@10"])
    assert rows.loc["image", "removed"] != rows.loc["both", "removed"]


def test_models_that_gain_nothing_by_their_features_are_named(linear, shop):
    weights = linear.model.theta()
    idle = {n: w * 1e-9 if linear.model.block(n) == "projection" else w for n, w in weights.items()}
    deaf = Trained.from_weights(
        linear.config, idle, shop, label="deaf", device="cpu", precision="float64"
    )
    found = robustness_curves([linear, deaf], SMALL, strategies=["reads", "deaf"])
    table = indifferent(found.per_run("ndcg@10"))
    assert table["strategy"].tolist() == ["deaf"]
    assert table["kept"].tolist() == [pytest.approx(1.0)]


def test_one_kind_with_two_settings_makes_two_curves(linear):
    found = robustness_curves([linear], CurveConfig(
        kinds="swap:within=same,swap:within=other,fgsm:norm=linf:modalities=image+text,"
        "fgsm:modalities=image+text",
        strengths=(0.0, 0.5), n_draws=2,
    ))  # fmt: skip
    names = [s["perturbation"] for s in found.series if not s["control_of"]]
    assert names == ["swap (within same)", "swap (within other)", "fgsm (norm linf)",
                     "fgsm (norm l2)"]  # fmt: skip
    assert found.titles["swap (within same)"] == "Content swap (within same)"
    assert (bands(found.per_run("recall@10"))["n_seeds"] == 1).all()
    assert {s["control_of"] for s in found.series} == {"", "fgsm (norm linf)", "fgsm (norm l2)"}


def test_kinds_that_say_nothing_new_are_refused(linear):
    with pytest.raises(ConfigError, match="'swap' twice"):
        robustness_curves([linear], CurveConfig(kinds=("swap", "swap")))
    with pytest.raises(ValidationError, match="write setting=value"):
        CurveConfig(kinds="pgd:linf")
    with pytest.raises(ConfigError, match="step"):
        CurveConfig.parse({"kinds": "pgd:steps=0"})


def test_losses_have_intervals_of_their_own(trained_models):
    found = robustness_curves(
        [trained_models["concat"], trained_models["sum"]], SMALL, strategies=["one", "one"]
    )
    rows = found.per_run("recall@10")
    rows["seed"] = (rows["run"] == "sum").astype(int)
    table = bands(rows)
    at = table[(table.perturbation == "swap") & (table.strength == 1.0)].iloc[0]
    losses = rows[(rows.perturbation == "swap") & (rows.strength == 1.0)]
    for name in ("drop", "relative_drop"):
        assert at[name] == pytest.approx(losses[name].mean())
        assert at[f"{name}_low"] == pytest.approx(mean_interval(losses[name].to_numpy()).low)
        assert at[f"{name}_low"] <= at[name] <= at[f"{name}_high"]


def test_group_means_are_the_draws_of_the_groups_averaged(curves):
    means = curves.group_means()
    keys = ["run", "perturbation", "control_of", "modality", "group", "strength", "metric"]
    slow = curves.group_frame().groupby(keys)["value"].mean()
    fast = means.set_index(keys)["value"].sort_index()
    np.testing.assert_allclose(fast.to_numpy(), slow.sort_index().to_numpy())
    assert len(fast) == len(slow)
    at_zero = means[means.strength == 0]
    assert (at_zero["value"] == at_zero["clean"]).all()


def test_a_seed_that_was_trained_twice_counts_once(curves):
    runs = curves.per_run("recall@10")
    one = runs[runs["run"] == runs["run"].iloc[0]]
    again = one.assign(run="again", value=one["value"] / 2)
    other = one.assign(run="other", seed=one["seed"] + 1)
    table = bands(pd.concat([one, again, other]))
    assert (table["n_seeds"] == 2).all()
    np.testing.assert_allclose(table["mean"], one["value"] * (0.75 + 1) / 2)
    assert (summary(pd.concat([one, again, other]))["n_seeds"] == 2).all()


def test_all_tables_are_offered(curves):
    tables = curves.tables()
    assert set(tables) == {"", "groups", "summary"}
    assert {"recall@10", "ndcg@5"} <= set(tables["summary"]["metric"])
    assert tables[""].equals(curves.to_frame())
