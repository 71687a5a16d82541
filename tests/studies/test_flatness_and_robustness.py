"""Flatness beside robustness, gathered from what runs keep."""

import json

import numpy as np
import pandas as pd
import pytest

from engine.cli import main
from engine.foundation.errors import ConfigError, JobError, RunError
from engine.geometry import Curvature, ModePath, Slice, SliceConfig, Symmetry
from engine.geometry.slices.slice_config import PerturbationName
from engine.robustness import FEATURE_PERTURBATIONS, perturb
from engine.runs import RunStore
from engine.runs.opened import open_run
from engine.studies import flatness_and_robustness as flatness
from engine.studies.analysis_results import find_result
from engine.studies.new_run import create_run
from engine.studies.run_analysis import run_analysis
from engine.studies.trainings import train
from engine.training import preset

DATA = "synthetic:users=40,items=30,interactions=500,image=6,text=4"
QUICK = {"epochs": 3, "batch_size": 128, "device": "cpu", "model.width": 4}
CURVES = {"kinds": ["gaussian", "fgsm"], "strengths": [0.0, 0.1], "n_draws": 2}


def silent(share, message=""):
    del share, message


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = RunStore(tmp_path_factory.mktemp("runs"))
    for name in ("plain", "sam"):
        for seed in range(3):
            config = preset(name, QUICK | {"seed": seed})
            train(
                store, {"run": create_run(store, DATA, config, f"{name}, seed {seed}").id}, silent
            )
    return store


@pytest.fixture(scope="module")
def runs(store):
    """Ids of six runs; five keep a curvature, all are in one result of curves."""
    ids = sorted(store.list()["id"])
    run_analysis("robustness", store, {"runs": ids, "config": CURVES}, silent)
    for run in ids[:5]:
        run_analysis("curvature", store, {"runs": [run]}, silent)
    return ids


def test_one_row_a_run_that_has_both(store, runs):
    found = flatness.gather_flatness_and_robustness(store, runs, strength=0.1)
    assert found.table["run"].tolist() == runs[:5]
    assert found.table["strategy"].tolist() == ["plain"] * 3 + ["sam"] * 2
    assert found.without_curvature == (runs[5],)
    assert found.without_curves == ()
    assert found.drops == ["drop fgsm both", "drop gaussian both"]
    curves = find_result(store, "robustness", runs, CURVES)
    rows = curves.per_run("recall@20")
    of = (rows["run"] == runs[1]) & (rows["strength"] == 0.1) & (rows["control_of"] == "")
    wanted = rows[of & (rows["perturbation"] == "fgsm")]["relative_drop"].item()
    assert found.table["drop fgsm both"][1] == wanted
    first = store.get(runs[0])
    kept = first.load_result(Curvature, first.results("curvature")[0])
    assert found.table["top_eigenvalue"][0] == kept.measures["top_eigenvalue"]


def test_curvatures_of_other_settings_are_not_mixed_in(store, runs):
    """More triples change every measure; only what most runs keep counts."""
    run_analysis("curvature", store, {"runs": [runs[0]], "config": {"n_triples": 20}}, silent)
    run_analysis("curvature", store, {"runs": [runs[5]], "config": {"n_triples": 20}}, silent)
    found = flatness.gather_flatness_and_robustness(store, runs)
    assert found.settings["n_triples"] is None
    assert "n_triples all" in found.ground
    assert found.without_curvature == (runs[5],)
    whole = find_result(store, "curvature", runs[:1], {})
    assert found.table["top_eigenvalue"][0] == whole.measures["top_eigenvalue"]


def test_curves_of_other_settings_or_of_validation_are_not_mixed_in(store, runs):
    usual = flatness.gather_flatness_and_robustness(store, runs).table
    for other in ({"seed": 7}, {"split": "valid"}):
        run_analysis("robustness", store, {"runs": runs[3:4], "config": CURVES | other}, silent)
    pd.testing.assert_frame_equal(flatness.gather_flatness_and_robustness(store, runs).table, usual)


def test_flatness_by_strategy_is_over_all_runs_that_keep_a_curvature(store, runs):
    table = flatness.gather_flatness_and_robustness(store, runs, strength=0.7).flatness
    rows = table[table["measure"] == "trace"].set_index("strategy")
    assert rows["n"].to_dict() == {"plain": 3, "sam": 2}
    traces = [find_result(store, "curvature", [run], {}).trace for run in runs[:3]]
    assert rows.loc["plain", "mean"] == pytest.approx(np.mean(traces))
    assert rows.loc["plain", "low"] < rows.loc["plain", "mean"] < rows.loc["plain", "high"]
    renamed = flatness.gather_flatness_and_robustness(store, runs, strategies={runs[0]: "other"})
    assert set(renamed.flatness["strategy"]) == {"other", "plain", "sam"}
    assert renamed.table["strategy"][0] == "other"


def test_the_correlations_are_over_runs_with_controls(store, runs):
    table = flatness.gather_flatness_and_robustness(store, runs).correlations(n_resamples=50)
    everything = table[table["control"] == "none"]
    assert set(everything["drop"]) == {"drop fgsm both", "drop gaussian both"}
    assert (everything.loc[everything["measure"] == "trace", "n"] == 5).all()
    assert set(table["control"]) == {"none", "within strategy"}


def test_too_few_runs_say_what_is_missing(store, runs):
    with pytest.raises(RunError, match=r"2 runs keep both.*at least 5"):
        flatness.gather_flatness_and_robustness(store, runs[:2]).correlations()
    assert flatness.gather_flatness_and_robustness(
        store, runs, strength=0.7
    ).without_curves == tuple(runs)


def test_the_command_tells_what_it_found_and_what_is_lacking(store, runs, capsys, tmp_path):
    csv = tmp_path / "table.csv"
    by_strategy = tmp_path / "flatness.csv"
    given = ["flatness", "--runs-folder", str(store.root), "--csv", str(csv)]
    given += ["--flatness-csv", str(by_strategy)]
    assert main(given) == 0
    printed = capsys.readouterr().out
    assert "1 runs need `python -m engine curvature RUN` first" in printed
    assert "5 runs of 2 strategies" in printed
    assert "mean and 95 % interval over its n seeds" in printed
    assert csv.read_text().startswith("measure,drop,control")
    by_strategy.unlink()
    assert main([*given, "--strength", "0.7"]) == 1
    assert "0 runs keep both" in capsys.readouterr().err
    assert by_strategy.read_text().startswith("measure,strategy,mean,low,high,n")


@pytest.mark.parametrize(("kind", "result"), [("path", ModePath), ("symmetry", Symmetry)])
def test_paths_and_symmetry_are_tasks_with_kept_results(store, runs, kind, result):
    names = runs[:2] if kind == "path" else runs[:1]
    config = {"n_steps": 5, "n_points": 5} if kind == "path" else {"n_triples": 100}
    run_analysis(kind, store, {"runs": names, "config": config}, silent)
    found = find_result(store, kind, names, config)
    assert isinstance(found, result)
    assert len(found.to_frame())
    assert store.get(names[0]).name in found.caption


def test_the_symmetry_command_tells_each_measures_largest_change_by_transformation(
    store, runs, capsys
):
    run_analysis("symmetry", store, {"runs": runs[:1], "config": {"n_draws": 1}}, silent)
    given = ["symmetry", runs[0], "--n-draws", "1", "--json", "--runs-folder", str(store.root)]
    assert main(given) == 0
    told = json.loads(capsys.readouterr().out)
    kinds = {"scale", "rotation", "mixing", "temperature", "shift"}
    assert set(told["measures"]["top_eigenvalue"]) == kinds
    assert told["measures"]["top_eigenvalue"]["scale"] > 1
    assert "top_eigenvalue" not in told["may_be_compared"]


def test_curvature_along_training_reads_the_weights_that_a_run_kept(store, runs):
    with pytest.raises(JobError, match="kept no weights along its training"):
        run_analysis("sharpening", store, {"runs": runs[:1]}, silent)
    config = preset("plain", QUICK | {"seed": 9}).changed({"snapshots_every": 1})
    run = create_run(store, DATA, config, "with snapshots").id
    try:
        train(store, {"run": run}, silent)
        run_analysis("sharpening", store, {"runs": [run]}, silent)
        result = find_result(store, "sharpening", [run], {})
        assert result.epochs_N.tolist() == [1, 2, 3]
    finally:
        store.delete(run)


def test_the_slice_names_every_perturbation_of_features():
    assert set(PerturbationName.__args__) == set(FEATURE_PERTURBATIONS)


def test_a_robust_slice_is_measured_on_the_features_perturbed_once(store, runs, loss_by_hand):
    config = {
        "dimensions": 1, "n_points": 3, "quantities": ["train_loss", "robust_loss"],
        "perturbation": "gaussian", "strength": 0.5, "radius": 1.0,
    }  # fmt: skip
    run_analysis("slice", store, {"runs": runs[:2], "config": config}, silent)
    found = find_result(store, "slice", runs[:2], config)
    assert isinstance(found, Slice)
    assert "perturbation" in found.shared
    for r, run in enumerate(runs[:2]):
        trained = open_run(store.get(run))
        features = perturb(trained, FEATURE_PERTURBATIONS["gaussian"](), 0.5, 0)
        by_hand = [loss_by_hand(trained, trained.features), loss_by_hand(trained, features)]
        np.testing.assert_allclose(found.values_RQAB[r, :, 1, 0], by_hand, rtol=1e-5)
        assert by_hand[0] != pytest.approx(by_hand[1])


def test_an_apple_gpu_is_passed_over_for_analyses(store, runs, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    opened = open_run(store.get(runs[0]))
    assert {p.device.type for p in opened.model.parameters()} == {"cpu"}


def test_a_perturbation_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="perturbation"):
        SliceConfig.parse({"perturbation": "blur"})


@pytest.fixture
def loss_by_hand():
    from engine.geometry import frozen_triples

    def loss(trained, features):
        users, items = trained.model(features)
        t = frozen_triples(trained.dataset, SliceConfig().n_triples)
        gaps = (users[t.users] * (items[t.positives] - items[t.negatives])).sum(1)
        return float(-gaps.sigmoid().log().mean())

    return loss
