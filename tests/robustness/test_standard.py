"""The standard set: its worst is the worst, its ball is one, and failing attacks are flagged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from engine.foundation.errors import ConfigError
from engine.models.multimodal.vbpr import VBPR
from engine.objectives import AMRConfig
from engine.robustness.standard import (
    ATTACK_TITLES,
    StandardAttackConfig,
    StandardAttacks,
    masking_checks,
    plain_twin,
    standard_attacks,
    tradeoff,
    tradeoff_means,
)
from engine.training import TrainConfig, Trained

QUICK = StandardAttackConfig(
    strengths=(0.1, 0.3, 1.0), cutoff=5, steps=5, restarts=2, n_draws=2, n_promoted=3
)
STEPPED = {"stepper": "mirror-gradient"}


class Masked(VBPR):
    """Reads features through a staircase: they matter, but have no gradient."""

    def item_factors(self, features, items=None):
        steps = {m: torch.round(8 * x) / 8 for m, x in features.items()}
        free = self.items if items is None else self.items[items]
        return torch.cat([free, VBPR.project(self, steps)], dim=1)

    project = None


def of_strategy(trained, changes, label, seed=0):
    """The same model under another config."""
    config = trained.config.changed({**changes, "seed": seed})
    return Trained(trained.model, trained.dataset, trained.features, config, label)


def masked_copy(trained, shop):
    copy = Trained.from_weights(
        trained.config.changed(STEPPED), trained.model.theta(), shop, label="masked",
        device="cpu", precision="float64",
    )  # fmt: skip
    copy.model.__class__ = Masked
    return copy


def blind_copy(trained, shop, parameter):
    """A model whose scores see no features, though it reads them."""
    weights = trained.model.theta()
    for name in weights:
        if name.startswith(parameter):
            weights[name] = weights[name].clone()
            weights[name][..., -6:] = 0
            if parameter != "users":
                weights[name][:] = 0
    return Trained.from_weights(
        trained.config, weights, shop, label="blind", device="cpu", precision="float64"
    )


@pytest.fixture(scope="module")
def result(trained_models, featureless):
    plain = trained_models["concat"]
    return standard_attacks(
        [
            of_strategy(plain, {}, "plain"),
            of_strategy(plain, STEPPED, "mg"),
            of_strategy(plain, STEPPED, "mg, seed 1", seed=1),
            featureless,
        ],
        QUICK,
        strategies=["plain", "mg", "mg", "mf"],
    )


def test_the_worst_is_never_above_any_member_and_never_rises(result):
    for metric in result.metrics:
        runs = result.per_run(metric)
        for attack in ATTACK_TITLES:
            assert not (runs["worst"] > runs[attack]).any()
        assert (runs["worst"] <= runs["clean"]).all()
        assert not (runs["joint"] > runs["worst"]).any()
        for _, run in runs.groupby(["label"]):
            assert (run["worst"].diff().dropna() <= 0).all()


def test_strength_zero_is_clean_bit_for_bit(result):
    clean = result.values[:, 0]
    assert (clean == clean[:, :1]).all()
    assert (result.noise[:, 0] == clean[:, 0]).all()
    runs = result.per_run()
    assert (runs.query("strength == 0")["worst"] == runs.query("strength == 0")["clean"]).all()


def test_attacks_hurt_and_say_which(result):
    strong = result.per_run().query("strength == 1 and is_attackable")
    assert (strong["worst"] < 0.5 * strong["clean"]).all()
    assert set(strong["worst_attack"]) <= set(ATTACK_TITLES)
    assert (strong["noise"] > strong["worst"]).all()
    assert result.checks().empty


def test_removed_features_are_those_of_the_curves(result, trained_models):
    from engine.robustness import MissingConfig
    from engine.robustness.probing.probe import RobustnessProbe

    probe = RobustnessProbe(trained_models["concat"], cutoffs=(5,))
    for fill in ("zero", "mean"):
        answer = probe.at(MissingConfig(fill=fill), 1.0)
        row = result.per_run().iloc[0]
        assert row[f"removed_{fill}"] == answer.perturbed["recall@5"].mean()
    assert row["reliance"] == row["clean"] - max(row["removed_zero"], row["removed_mean"])


def test_a_run_without_a_plain_twin_lacks_the_transfer_and_says_so(result):
    runs = result.per_run().query("strength > 0").set_index("label")
    assert runs.loc["plain", "transfer"].isna().all()
    assert runs.loc["mg", "transfer"].notna().all()
    assert runs.loc["mg, seed 1", "transfer"].isna().all()
    assert any("mg, seed 1 has no plainly trained twin" in note for note in result.notes)
    # The twin has the same weights here, so what is transferred is the white-box attack itself.
    assert (runs.loc["mg", "transfer"] - runs.loc["mg", "pgd-top-k"]).abs().max() < 1e-12


def test_a_model_that_sees_no_features_is_not_attackable_and_never_called_robust(
    result, linear, shop
):
    flat = result.per_run().query("label == 'mf'")
    assert not flat["is_attackable"].any()
    assert (flat["worst"] == flat["clean"]).all()
    assert (flat["reliance"] == 0).all()
    assert "mf is not attackable through features: its scores see none of them." in (
        result.verdicts(0.3)
    )
    for parameter in ("projection", "users"):
        blind = standard_attacks([blind_copy(linear, shop, parameter)], QUICK)
        assert not blind.is_attackable.any()
        assert "robust" not in blind.verdicts(0.3)[0]


def test_masked_gradients_are_flagged(linear, shop):
    twin = of_strategy(linear, {}, "twin")
    config = QUICK.changed({"tolerance": 0.02})  # forty items: noise of their norm does little
    found = standard_attacks([masked_copy(linear, shop)], config, twins=[twin])
    assert found.is_attackable.all()
    checks = set(found.checks()["check"])
    assert {"weaker-than-noise", "transfer-beats-white-box"} <= checks
    assert "no sign of robustness" in found.verdicts(1.0)[0]


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        (
            {"pgd": 0.3, "pgd-held-out": 0.3, "pgd-top-k": 0.3, "transfer": 0.3},
            "pgd-weaker-than-fgsm",
        ),
        ({"noise": 0.05}, "weaker-than-noise"),
        ({"transfer": 0.01}, "transfer-beats-white-box"),
        ({"worst": 0.4}, "no-fall"),
        ({"is_attackable": False, "noise": 0.0, "transfer": 0.0}, None),
    ],
)
def test_each_check_speaks_of_its_own_sign(changes, check):
    row = dict.fromkeys(ATTACK_TITLES, 0.1) | {"fgsm": 0.2, "promotion": 0.39, "noise": 0.35}
    row |= {"run": "r", "label": "r", "strategy": "s", "seed": 0, "strength": 1.0, "clean": 0.4}
    row |= {"worst": 0.1, "is_attackable": True}
    assert masking_checks(pd.DataFrame([row]), list(ATTACK_TITLES), 0.02).empty
    spoken = masking_checks(pd.DataFrame([row | changes]), list(ATTACK_TITLES), 0.02)
    assert spoken["check"].tolist() == ([] if check is None else [check])


def test_a_twin_is_plain_and_of_the_same_model_features_and_seed():
    run = TrainConfig().changed({"stepper": "mirror-gradient", "seed": 3, "epochs": 7})
    plain = TrainConfig().changed({"seed": 3})
    others = [
        run,
        plain.changed({"seed": 4}),
        plain.changed({"model.width": 8}),
        plain.changed({"objective.adversary": AMRConfig().model_dump(mode="json")}),
        plain.changed({"noise.kind": "gaussian"}),
    ]
    assert plain_twin(run, others) is None
    assert plain_twin(run, [*others, plain]) == len(others)
    assert plain_twin(run, [plain, plain.changed({"epochs": 7})]) == 1


def test_a_seed_trained_twice_counts_once(linear):
    runs = [of_strategy(linear, {}, f"plain {i}", seed=seed) for i, seed in enumerate((0, 0, 1))]
    found = standard_attacks(
        runs, QUICK.changed({"strengths": [0.3], "steps": 1}), strategies=["plain"] * 3
    )
    assert (found.summary()["n_seeds"] <= 2).all()


def test_the_trade_off_has_a_line_of_disuse_and_a_path_over_epsilon(trained_models, featureless):
    linear = trained_models["concat"]
    amr = {"objective.adversary": AMRConfig().model_dump(mode="json")}
    runs = [
        of_strategy(linear, {}, "plain"),
        of_strategy(linear, amr, "amr"),
        of_strategy(linear, amr | {"objective.adversary.epsilon": 0.05}, "amr small"),
        featureless,
    ]
    found = standard_attacks(runs, QUICK.changed({"strengths": [0.3], "steps": 1}))
    measured = found.per_run()
    assert found.tradeoff(0.3)["reliance"].tolist() == [
        measured.query("label == @label")["reliance"].iloc[0]
        for label in found.tradeoff(0.3)["label"]
    ]
    measured["reliance"] = measured["reliance"].where(~measured["is_attackable"], 0.1)
    table = tradeoff(measured, 0.3)
    assert table["path"].tolist() == ["", "amr", "amr", ""]
    assert table["epsilon"].tolist()[1:3] == [0.3, 0.05]
    # Plain and the featureless model are the line's ends; the same weights lie on it.
    np.testing.assert_allclose(table["above_disuse"], 0, atol=1e-12)
    means = tradeoff_means(table.assign(strategy="one", seed=[0, 0, 1, 2])).iloc[0]
    assert means["n_seeds"] == 3
    assert means["worst"] == pytest.approx(
        np.mean([table["worst"][:2].mean(), *table["worst"][2:]])
    )
    assert means["worst_low"] < means["worst"] < means["worst_high"]
    with pytest.raises(ConfigError, match=r"strength 0.2 was not measured; choose among 0.3"):
        found.tradeoff(0.2)
    with pytest.raises(ConfigError, match=r"strength 0.2 was not measured"):
        found.verdicts(0.2)


def test_results_are_kept_and_read_again(result, tmp_path):
    result.save(tmp_path / "r.npz")
    again = StandardAttacks.load(tmp_path / "r.npz")
    for name, table in result.tables().items():
        pd.testing.assert_frame_equal(table, again.tables()[name])
    assert "worst" in again.to_frame()
    assert again.caption == result.caption


def test_runs_of_different_datasets_are_refused(linear, tiny):
    from engine.data import synthetic

    other = synthetic(60, 40, 900, image_width=12, text_width=8, seed=4)
    moved = Trained(linear.model, other, linear.features, linear.config, "other")
    with pytest.raises(ConfigError, match="different datasets"):
        standard_attacks([linear, moved], QUICK)
    with pytest.raises(ConfigError, match="at least one strength above 0"):
        QUICK.changed({"strengths": [0]})
    with pytest.raises(ConfigError, match="no run"):
        standard_attacks([], QUICK)
