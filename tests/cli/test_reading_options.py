"""Options of reading reach every command, and a run reads its data again with them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.cli import main
from engine.runs import RunStore

QUICK = ["--epochs", "2", "--device", "cpu", "--model.width", "4", "--model.modalities", "image"]


@pytest.fixture
def amr_folder(tmp_path):
    """12 users with 6 items each, one held out against 5 negatives."""
    folder = tmp_path / "fashion"
    folder.mkdir()
    orders = [np.random.default_rng(u).permutation(20) for u in range(12)]
    (folder / "pos.txt").write_text(
        "".join(f"{u} {i}\n" for u, order in enumerate(orders) for i in order[:6])
    )
    (folder / "neg.txt").write_text(
        "".join(" ".join(map(str, order[6:12])) + "\n" for order in orders)
    )
    np.save(folder / "f_cnn.npy", np.random.default_rng(0).standard_normal((20, 3), np.float32))
    return folder


@pytest.fixture
def ratings(tmp_path):
    rows = [f"{u},{(u * 3 + k) % 15},{k % 2},{k}\n" for u in range(10) for k in range(10)]
    (tmp_path / "clicks.csv").write_text("user,item,rating,day_of_week\n" + "".join(rows))
    return tmp_path / "clicks.csv"


def last_json(capsys):
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_training_keeps_the_options_and_analyses_read_with_them(ratings, tmp_path, capsys):
    runs = str(tmp_path / "runs")
    options = ["--dataset", str(ratings), "--min-rating", "1", "--split", "random"]
    settings = ["--split-seed", "4", "--model", "bpr-mf", "--epochs", "1", "--model.width", "4"]
    assert main(["train", *options, *settings, "--runs-folder", runs]) == 0
    run = RunStore(runs).get(RunStore(runs).list()["id"][0])
    source = run.provenance["dataset"]["source"]
    assert source == f"{ratings}?split=random&seed=4&min_rating=1"
    assert main(["evaluate", run.id, "--runs-folder", runs]) == 0
    assert main(["data", source, "--json"]) == 0
    assert last_json(capsys)["interactions"] == 50


def test_a_fixed_number_of_epochs_needs_no_validation(amr_folder, tmp_path, capsys):
    runs = str(tmp_path / "runs")
    options = ["--dataset", str(amr_folder), "--valid", "none", *QUICK, "--runs-folder", runs]
    assert main(["train", *options]) == 1
    assert "set keep_last_epoch" in capsys.readouterr().err
    assert main(["train", *options, "--keep-last-epoch", "true", "--json"]) == 0
    result = last_json(capsys)
    assert (result["best_epoch"], result["valid"]) == (2, {})
    assert result["selected_by"] == "the fixed number of epochs"
    assert main(["compare", result["run"], "--runs-folder", runs]) == 0


def test_runs_are_evaluated_against_released_negatives(amr_folder, ratings, tmp_path, capsys):
    runs = str(tmp_path / "runs")
    assert main(["train", "--dataset", str(amr_folder), *QUICK, "--runs-folder", runs]) == 0
    run = RunStore(runs).list()["id"][0]
    command = ["evaluate", run, "--runs-folder", runs, "--negatives", "released", "--json"]
    assert main(command) == 0
    table = last_json(capsys)["table"]
    assert {row["ranking"] for row in table} == {"against the 5 released negatives"}
    assert table[0]["n"] == 12
    assert main([*command, "--split", "valid"]) == 1
    assert "belong to the test split" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "-1"], "the seed is -1"),
        (["--split", "weekly"], "'weekly' is not a kind of split"),
        (["--valid", "none"], "--valid has no use for the format tables"),
        (["--split", "user_time"], "no timestamp column"),
        (["--min-rating", "9"], "the highest is 1"),
    ],
)
def test_wrong_options_are_one_line(ratings, options, message, capsys):
    assert main(["data", str(ratings), *options]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_check_reports_what_is_missing_and_shows_items(amr_folder, capsys):
    x = np.load(amr_folder / "f_cnn.npy")
    x[3], x[4], x[5] = 0, x[6], x[6]
    np.save(amr_folder / "f_cnn.npy", x)
    assert main(["data", str(amr_folder), "--check", "--valid", "none", "--json"]) == 0
    report = last_json(capsys)
    assert report["usable"]
    assert report["format"] == "AMR"
    assert report["features"] == [{"modality": "image", "width": 3, "missing": 1, "repeated": 3}]
    assert (report["counts"]["train"], report["counts"]["valid"]) == (72, 0)
    assert any("The valid split is empty" in warning for warning in report["warnings"])
    assert len(report["preview"]) == 8
    (amr_folder / "f_cnn.npy").write_bytes(b"broken")
    assert main(["data", str(amr_folder), "--check"]) == 1
    assert "is not a whole .npy file" in capsys.readouterr().err
