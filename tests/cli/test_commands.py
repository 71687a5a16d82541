"""The command line does what the dashboard does, and says clearly what went wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from engine.cli import main
from engine.jobs.submit import create_job
from engine.runs import RunStore

DATA = "synthetic:users=60,items=40,interactions=900,image=12,text=8"
QUICK = ["--epochs", "3", "--batch-size", "128", "--device", "cpu", "--model.width", "8"]


@pytest.fixture(scope="module")
def runs_folder(tmp_path_factory):
    """A runs folder with a plain and an MG run of two seeds each."""
    folder = tmp_path_factory.mktemp("runs")
    for preset in ("plain", "mg"):
        options = ["--preset", preset, "--dataset", DATA, "--seeds", "2"]
        assert main(["train", *options, *QUICK, "--runs-folder", str(folder)]) == 0
    return folder


def last_json(capsys):
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def ids_of(folder, capsys):
    assert main(["list", "--runs-folder", str(folder), "--json"]) == 0
    return sorted(run["id"] for run in last_json(capsys)["runs"])


def test_train_ends_with_one_json_object(tmp_path, capsys):
    options = ["--preset", "amr", "--dataset", DATA, *QUICK, "--runs-folder", str(tmp_path)]
    warm = ["--objective.adversary.warm-start-epochs", "1"]
    assert main(["train", *options, *warm, "--json"]) == 0
    result = last_json(capsys)
    assert result["state"] == "finished"
    assert result["best_epoch"] > 1
    assert "recall@20" in result["valid"]
    assert "ndcg@20" in result["test"]
    assert (Path(result["folder"]) / "weights.safetensors").exists()
    assert Path(result["folder"]).name == result["run"]


def test_list_show_and_compare_tell_what_was_trained(runs_folder, capsys):
    ids = ids_of(runs_folder, capsys)
    assert len(ids) == 4
    assert main(["show", ids[0], "--runs-folder", str(runs_folder), "--json"]) == 0
    shown = last_json(capsys)
    assert shown["config"]["epochs"] == 3
    assert shown["provenance"]["dataset"]["source"] == DATA
    assert main(["compare", "--runs-folder", str(runs_folder), "--json"]) == 0
    table = {row["strategy"]: row for row in last_json(capsys)["table"]}
    assert table["mg"]["n_pairs"] == 2
    assert table["mg"]["gradient_passes"] > table["plain"]["gradient_passes"]


def test_a_matched_run_takes_as_many_gradient_passes_as_the_one_it_is_compared_with(
    runs_folder, tmp_path, capsys
):
    ids = ids_of(runs_folder, capsys)
    mirrored = next(run for run in ids if "-mg-" in run)
    main(["show", mirrored, "--runs-folder", str(runs_folder), "--json"])
    passes = last_json(capsys)["summary"]["gradient_passes"]
    options = ["--dataset", DATA, *QUICK, "--match", str(runs_folder / mirrored)]
    assert main(["train", *options, "--runs-folder", str(tmp_path), "--json"]) == 0
    assert last_json(capsys)["gradient_passes"] == passes


def test_runs_are_judged_again_by_full_and_by_sampled_ranking(runs_folder, tmp_path, capsys):
    ids = ids_of(runs_folder, capsys)
    assert main(["show", ids[0], "--runs-folder", str(runs_folder), "--json"]) == 0
    kept = last_json(capsys)["summary"]["test"]
    again = ["--runs-folder", str(runs_folder), "--json", "--csv", str(tmp_path / "e.csv")]
    assert main(["evaluate", *ids[:2], *again]) == 0
    found = {r["metric"]: r["value"] for r in last_json(capsys)["table"] if r["run"] == ids[0]}
    assert found == pytest.approx(kept, abs=1e-6)
    assert set(pd.read_csv(tmp_path / "e.csv")["run"]) == set(ids[:2])
    options = ["--dataset", DATA.replace("items=40", "items=200"), *QUICK, "--json"]
    assert main(["train", *options, "--runs-folder", str(tmp_path)]) == 0
    command = ["evaluate", last_json(capsys)["run"], "--runs-folder", str(tmp_path), "--json"]
    assert main([*command, "--negatives", "9", "--cutoffs", "1,5", "--split", "valid"]) == 0
    rows = last_json(capsys)["table"]
    assert [r["metric"] for r in rows] == ["hr@1", "ndcg@1", "hr@5", "ndcg@5"]
    assert {r["ranking"] for r in rows} == {"against 9 sampled negatives"}
    for wrong, message in ((["--negatives", "0"], "at least 1"), (["--cutoffs", "x"], "5,10")):
        assert main([*command, *wrong]) == 1
        assert message in capsys.readouterr().err


def test_seeds_are_matched_to_the_runs_of_their_own_seed(tmp_path, capsys):
    """Early stopping gives each seed its own number of passes."""
    options = ["--dataset", DATA, *QUICK, "--epochs", "30", "--patience", "2", "--seeds", "3",
               "--runs-folder", str(tmp_path), "--json"]  # fmt: skip
    assert main(["train", "--preset", "mg", *options]) == 0
    mirrored = last_json(capsys)
    assert mirrored["intervals"]["recall@20"]["n"] == 3
    assert main(["train", "--match", "mg", *options]) == 0
    matched = last_json(capsys)["runs"]
    passes = [run["gradient_passes"] for run in mirrored["runs"]]
    assert len(set(passes)) > 1
    assert sorted(run["gradient_passes"] for run in matched) == sorted(passes)
    assert main(["compare", "--runs-folder", str(tmp_path), "--json", "--baseline",
                 "plain matched to mg"]) == 0  # fmt: skip
    table = {row["strategy"]: row for row in last_json(capsys)["table"]}
    assert table["mg"]["n_pairs"] == 3
    assert table["mg"]["gradient_passes"] == table["plain matched to mg"]["gradient_passes"]
    assert main(["train", "--match", "mg", *options, "--seeds", "4"]) == 1
    assert "no finished run called 'mg' has seed 3" in capsys.readouterr().err


def test_a_sweep_ends_in_one_tidy_table(tmp_path, capsys):
    folder = tmp_path / "runs"
    command = ["sweep", "s", "--dataset", DATA, "--here", "--runs-folder", str(folder),
               "--set", "epochs=2", "--set", "model.width=8", "--seeds", "2",
               "--grid", "optimiser.weight_decay=0,0.01", "--metric", "recall@20,ndcg@10",
               "--csv", str(tmp_path / "s.csv"), "--runs-csv", str(tmp_path / "r.csv")]  # fmt: skip
    assert main(command) == 0
    assert "4 started now; 4 finished" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "s.csv")
    assert table["metric"].tolist() == ["recall@20"] * 2 + ["ndcg@10"] * 2
    wanted = {"strategy", "test", "test_low", "test_high", "difference", "difference_low",
              "difference_high", "by_user", "by_user_low", "by_user_high", "effect_size",
              "gradient_passes", "seconds"}  # fmt: skip
    assert wanted <= set(table.columns)
    assert (table["n_seeds"] == 2).all()
    assert pd.read_csv(tmp_path / "r.csv")["state"].tolist() == ["finished"] * 4


def test_a_sweep_of_which_nothing_finished_says_why(tmp_path, capsys):
    command = ["sweep", "s", "--dataset", DATA, "--here", "--runs-folder", str(tmp_path / "runs")]
    assert main([*command, "--preset", "sam", "--set", "match_gradient_passes=1"]) == 1
    printed = capsys.readouterr()
    assert "failed: sam, seed 0: match_gradient_passes is 1, less than one step" in printed.out
    assert "no finished run" in printed.err


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("slice", ["--dimensions", "1", "--n-points", "5"]),
        ("robustness", ["--kinds", "gaussian", "--strengths", "0.1", "--n-draws", "1"]),
        ("curvature", []),
    ],
)
def test_an_analysis_is_computed_once_and_kept(kind, options, runs_folder, capsys, tmp_path):
    ids = ids_of(runs_folder, capsys)[: 1 if kind == "curvature" else 2]
    csv = tmp_path / "table.csv"
    command = [kind, *ids, *options, "--runs-folder", str(runs_folder), "--csv", str(csv), "--json"]
    assert main(command) == 0
    first = last_json(capsys)
    assert set(first["runs"]) == set(ids)
    assert len(pd.read_csv(csv)) > 0
    kept = list((runs_folder / min(ids) / "results").glob("*.npz"))
    times = {path: path.stat().st_mtime_ns for path in kept}
    assert main(command) == 0
    assert last_json(capsys) == first
    assert {path: path.stat().st_mtime_ns for path in kept} == times


def test_curvatures_of_several_runs_come_one_by_one_with_all_their_tables(
    runs_folder, capsys, tmp_path
):
    ids = sorted(ids_of(runs_folder, capsys))
    csv = tmp_path / "flat.csv"
    command = ["curvature", *ids, "--runs-folder", str(runs_folder), "--csv", str(csv)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    for word in ("eigenvalues:", "residual", "top eigenvalue, users alone", "products"):
        assert word in printed
    assert printed.count("frozen training triples") == len(ids)  # a caption each
    for name in ("flat", "flat-eigenvalues", "flat-summary", "flat-cost"):
        assert sorted(pd.read_csv(tmp_path / f"{name}.csv")["run"].unique()) == ids


def test_a_run_goes_to_another_folder_as_a_zip(runs_folder, tmp_path, capsys):
    ids = ids_of(runs_folder, capsys)
    zip_path = tmp_path / "run.zip"
    assert main(["export", str(zip_path), ids[0], "--runs-folder", str(runs_folder)]) == 0
    other = tmp_path / "other"
    assert main(["import", str(zip_path), "--runs-folder", str(other)]) == 0
    capsys.readouterr()
    assert ids_of(other, capsys) == ids[:1]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train", "--dataset", "nowhere"], "nowhere does not exist"),
        (["train", "--dataset", DATA, "--epochs", "0"], "epochs"),
        (["train", "--dataset", DATA, "--stepper.alpha2", "0.3"], "'stepper.alpha2' is not a"),
        (["show", "nothing"], "There is no run 'nothing'"),
        (["slice", "nothing"], "There is no run 'nothing'"),
        (["compare"], "no finished run"),
        (["data", "synthetic:people=3"], "'people=3' is not understood"),
    ],
)
def test_an_error_is_one_line_without_a_traceback(command, message, tmp_path, capsys):
    assert main([*command, "--runs-folder", str(tmp_path)]) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", ["train", "slice", "robustness", "embed", "curvature", "data"])
def test_every_command_has_a_help_worth_reading(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "--json" in text
    assert len(text.splitlines()) > 8


@pytest.mark.processes
def test_python_dash_m_engine_lists_its_commands_without_torch():
    program = (
        "import sys; from engine.cli import main; sys.argv=['x']; \n"
        "try: main(['--help'])\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for command in ("train", "sweep", "compare", "slice", "curvature", "robustness", "embed"):
        assert command in done.stdout


@pytest.mark.realdata
def test_real_data_are_described(ml100k_path, capsys):
    assert main(["data", str(ml100k_path), "--json"]) == 0
    described = last_json(capsys)
    assert (described["users"], described["items"]) == (938, 1006)
    assert described["interactions"] == 54_366


def test_the_training_trajectory_is_kept_and_drawn_on_request(tmp_path, capsys):
    folder = ["--runs-folder", str(tmp_path), "--json"]
    assert main(["train", "--dataset", DATA, *QUICK, "--snapshots-every", "1", *folder]) == 0
    run = last_json(capsys)["run"]
    assert len(list((tmp_path / run / "trajectory").glob("*.safetensors"))) == 3
    plane = ["--first", "trajectory", "--second", "trajectory", "--n-points", "5"]
    assert main(["slice", run, *plane, *folder]) == 0
    assert main(["train", "--dataset", DATA, *QUICK, *folder]) == 0
    capsys.readouterr()
    assert main(["slice", sorted(p.name for p in tmp_path.glob("2*"))[-1], *plane, *folder]) == 1
    assert "snapshots_every" in capsys.readouterr().err


def test_labels_are_changed_one_at_a_time(tmp_path, capsys):
    store = RunStore(tmp_path)
    run = store.create({}, {}, name="first")
    folder = ["--runs-folder", str(tmp_path), "--json"]
    assert main(["label", "first", "--note", "keep", "--tags", "b, a", "--star", *folder]) == 0
    assert main(["label", run.id, "--name", "second", *folder]) == 0
    assert last_json(capsys)["tags"] == ["a", "b"]
    assert run.labels == {"name": "second", "note": "keep", "tags": ["a", "b"], "star": True}
    assert main(["label", run.id, "--no-star", *folder]) == 0
    assert run.labels["star"] is False


def test_the_bin_is_listed_and_emptied(tmp_path, capsys):
    store = RunStore(tmp_path)
    runs = [store.create({}, {}).id for _ in range(2)]
    folder = ["--runs-folder", str(tmp_path), "--json"]
    assert main(["bin", runs[0], *folder]) == 0
    assert main(["bin", *folder]) == 0
    assert [row["id"] for row in last_json(capsys)["binned"]] == [runs[0]]
    assert main(["bin", runs[1], "--empty", *folder]) == 1
    assert main(["bin", "--empty", *folder]) == 0
    assert store.binned().empty
    assert store.list()["id"].tolist() == [runs[1]]


def test_jobs_are_listed_with_their_logs_and_found_by_their_run(tmp_path, capsys):
    folder = ["--runs-folder", str(tmp_path)]
    assert main(["jobs", *folder]) == 0
    assert capsys.readouterr().out == "nothing is under way\n"
    assert main(["train", "--dataset", DATA, *QUICK, *folder, "--json"]) == 0
    run = last_json(capsys)["run"]
    assert main(["jobs", run, "--log", *folder]) == 0
    assert "finished 100%" in (told := capsys.readouterr().out)
    assert "epoch 3" in told
    assert main(["jobs", "--all", *folder, "--json"]) == 0
    assert [job["runs"] for job in last_json(capsys)["jobs"]] == [[run]]
    assert main(["jobs", "nonsense", *folder]) == 1
    assert "there is no job 'nonsense'" in capsys.readouterr().err


def test_a_job_that_waits_is_cancelled_with_its_run(tmp_path, capsys):
    store = RunStore(tmp_path)
    run = store.create({}, {})
    create_job(
        store, "train", {"run": run.id}, [run.id], gpu=False
    )  # no cluster is there to take it
    assert main(["jobs", run.id, "--cancel", "--runs-folder", str(tmp_path), "--json"]) == 0
    assert [job["state"] for job in last_json(capsys)["jobs"]] == ["cancelled"]
    assert main(["jobs", "--runs-folder", str(tmp_path)]) == 0
    assert run.state == "cancelled"


def test_a_scheduler_that_is_refused_is_one_clear_error(tmp_path, capsys):
    options = ["--dataset", DATA, *QUICK, "--runs-folder", str(tmp_path)]
    assert main(["train", *options, "--scheduler", "tcp://10.0.0.7:8786"]) == 1
    assert "is not encrypted" in capsys.readouterr().err
    assert main(["train", *options, "--scheduler", "10.0.0.7"]) == 1
    assert "tls://HOST:PORT" in capsys.readouterr().err
    assert main(["sweep", "s", "--here", "--scheduler", "embedded"]) == 1
    assert RunStore(tmp_path).list().empty
