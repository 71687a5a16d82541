"""The standard attacks from the command line: the trade-off, and twins found in the runs folder."""

import json

import pandas as pd
import pytest

from engine.cli import main
from engine.runs import RunStore
from engine.runs.opened import open_run
from engine.studies.twin_runs import open_plain_twins

DATA = "synthetic:users=60,items=40,interactions=900,image=12,text=8"
QUICK = ["--epochs", "3", "--batch-size", "128", "--device", "cpu"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Plain and Mirror Gradient of two seeds, and a model without features."""
    folder = tmp_path_factory.mktemp("runs")
    for preset in ("plain", "mg"):
        train = ["train", "--preset", preset, "--dataset", DATA, "--seeds", "2", *QUICK]
        assert main([*train, "--model.width", "8", "--runs-folder", str(folder)]) == 0
    train = ["train", "--name", "mf", "--dataset", DATA, "--model", "bpr-mf", *QUICK]
    assert main([*train, "--runs-folder", str(folder)]) == 0
    return folder


@pytest.fixture
def named(folder):
    table = RunStore(folder).list()
    names = table["name"] + " " + table["seed"].astype(str)
    return dict(zip(names, table["id"], strict=True))


def test_the_trade_off_is_printed_and_kept(folder, named, capsys, tmp_path):
    csv = tmp_path / "points.csv"
    command = ["robustness", "--tradeoff", *named.values(), "--strengths", "0.3"]
    command += ["--runs-folder", str(folder)]
    assert main([*command, "--json", "--csv", str(csv)]) == 0
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    rows = {row["strategy"]: row for row in found["strategies"]["0.3"]}
    assert set(rows) == {"plain", "mg", "mf"}
    assert rows["plain"]["n_seeds"] == rows["mg"]["n_seeds"] == 2
    assert rows["mf"]["reliance"] == 0
    assert rows["mf"]["worst"] == rows["mf"]["clean"]
    assert rows["plain"]["worst"] <= rows["plain"]["clean"]
    assert (
        "mf is not attackable through features: its scores see none of them."
        in (found["verdicts"]["0.3"])
    )
    assert len(found["points"]["0.3"]) == 5
    assert set(pd.read_csv(csv)["strategy"]) == {"plain", "mg", "mf"}
    assert main(command) == 0
    assert "relies on its features for" in capsys.readouterr().out


def test_settings_of_curves_that_the_set_lacks_are_refused(folder, named, capsys):
    command = ["robustness", "--tradeoff", named["mf 0"], "--n-draws", "2"]
    assert main([*command, "--runs-folder", str(folder)]) == 1
    assert "--tradeoff takes no --n-draws" in capsys.readouterr().err


def test_plain_twins_are_found_in_the_runs_folder(folder, named):
    store = RunStore(folder)
    names = {run: name for name, run in named.items()}
    mg = [open_run(store.get(named[name])) for name in ("mg 0", "mg 1")]
    twins = open_plain_twins(store, mg)
    assert {names[twin.run] for twin in twins} == {"plain 0", "plain 1"}
    plain = open_run(store.get(named["plain 0"]))
    assert open_plain_twins(store, [mg[0], plain]) == []
    assert open_plain_twins(store, [plain]) == []


def test_attacks_on_one_run_use_its_twin(folder, named, capsys):
    command = ["attacks", named["mg 1"], "--strengths", "0.3", "--steps", "2"]
    assert main([*command, "--runs-folder", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    row = next(row for row in found["table"] if row["strength"] == 0.3)
    assert row["transfer"] is not None
    assert row["worst"] <= row["transfer"]
