"""Every command against wrong options: one sentence, no traceback, nothing left behind."""

import json

import pytest

from engine.cli import main
from engine.cli.commands import COMMANDS
from engine.runs import RunStore
from engine.studies.analysis_table import ANALYSES

DATA = "synthetic:users=40,items=30,interactions=400,image=6,text=4"
QUICK = ["--dataset", DATA, "--epochs", "1", "--batch-size", "128", "--device", "cpu",
         "--model.width", "4"]  # fmt: skip
NEEDED = {
    "show": ["RUN"], "evaluate": ["RUN"], "label": ["RUN"], "export": ["x.zip", "RUN"],
    "import": ["x.zip"], "sweep": ["s"], **{kind: ["RUN"] for kind in ANALYSES},
}  # fmt: skip
"""What a command cannot do without."""

SERVING = ("cluster", "worker")
WITH_CSV = ("compare", "evaluate", "flatness", "sweep", *ANALYSES)

WRONG = [
    ("train", ["--seed", "-1"], "seed"),
    ("train", ["--seed", "4294967295", "--seeds", "2"], "seed"),
    ("train", ["--seeds", "0"], "--seeds is 0"),
    ("train", ["--epochs", "many"], "epochs"),
    ("train", ["--model", "vbrp"], "model is 'vbrp'; allowed are"),
    ("train", ["--model", "vbrp"], "Did you mean 'vbpr'?"),
    ("train", ["--stepper", "mirro"], "stepper is 'mirro'; allowed are"),
    ("train", ["--objective.adversary", "amrr"], "apr, pamacf"),
    ("train", ["--noise.strength", "0.3"], "does nothing without --noise.kind"),
    ("train", ["--dataset", "nowhere"], "nowhere"),
    ("train", ["--split", "nonsense"], "split"),
    ("train", ["--min-rating", "x"], "min-rating"),
    ("train", ["--match", "nobody"], "no run 'nobody'"),
    ("train", ["--resume", "nobody"], "no run 'nobody'"),
    ("train", ["--resume", "RUN"], "has finished"),
    ("train", ["--resume", "RUN", "--epochs", "9"], "--epochs cannot be changed"),
    ("train", ["--resume", "RUN", "--preset", "mg"], "--preset cannot be changed"),
    ("train", ["--resume", "RUN", "--split", "random"], "--split cannot be changed"),
    ("train", ["--scheduler", "tcp://10.0.0.7:8786"], "not encrypted"),
    ("data", ["sample", "--seed", "-1"], "seed is -1"),
    ("data", ["sample", "--split", "nonsense"], "split"),
    ("data", ["nowhere"], "nowhere"),
    ("compare", ["--metric", ""], "--metric names no metric"),
    ("compare", ["--metric", "recal@20"], "recal@20"),
    ("compare", ["nobody"], "no run 'nobody'"),
    ("compare", ["--baseline", "nobody"], "nobody"),
    ("flatness", ["--metric", ""], "--metric names no metric"),
    ("evaluate", ["RUN", "--seed", "-1"], "--seed is -1"),
    ("evaluate", ["RUN", "--negatives", "0"], "at least 1"),
    ("evaluate", ["RUN", "--cutoffs", "x"], "5,10"),
    ("evaluate", ["RUN", "--cutoffs", "0"], "cutoffs"),
    ("sweep", ["a/b"], "cannot name a sweep"),
    ("sweep", ["s", "--preset", "nonsense"], "nonsense"),
    ("sweep", ["s", "--set", "epochs"], "not FIELD=VALUE"),
    ("sweep", ["s", "--grid", "nonsense=1,2"], "nonsense"),
    ("sweep", ["s", "--random", "epochs=a:b"], "LOW:HIGH"),
    ("sweep", ["s", "--seeds", "0"], "n_seeds"),
    ("sweep", ["s", "--split", "nonsense"], "split"),
    ("sweep", ["s", "--here", "--scheduler", "embedded"], "give one of them"),
    ("jobs", ["nobody"], "no job 'nobody'"),
    ("jobs", ["--all", "--cancel"], "--all"),
    ("bin", ["nobody"], "no run 'nobody'"),
    ("bin", ["RUN", "--empty"], "--empty"),
    ("label", ["nobody"], "no run 'nobody'"),
    ("show", ["nobody"], "no run 'nobody'"),
    ("import", ["nowhere.zip"], "nowhere.zip"),
    ("export", ["x.zip", "nobody"], "no run 'nobody'"),
    ("worker", ["--scheduler", "10.0.0.7"], "tls://HOST:PORT"),
    ("worker", ["--workers", "x"], "--workers"),
    ("cluster", ["--workers", "x"], "--workers"),
    *((kind, ["nobody"], "no run 'nobody'") for kind in ANALYSES),
    *((kind, ["RUN", "--seed", "-1"], "seed") for kind in ANALYSES),
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A runs folder with one finished run."""
    store = RunStore(tmp_path_factory.mktemp("runs"))
    assert main(["train", *QUICK, "--runs-folder", str(store.root)]) == 0
    return store


def refusal(words, capsys):
    """What a command that must refuse says, checked for form."""
    try:
        status = main(words)
    except SystemExit as stop:  # how argparse refuses
        status = stop.code
    said = capsys.readouterr().err
    assert status in (1, 2), said
    assert said.count("error: ") == 1
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1 or status == 2
    return said


@pytest.mark.parametrize(("command", "options", "words"), WRONG)
def test_a_wrong_option_is_one_sentence(finished, capsys, monkeypatch, command, options, words):
    monkeypatch.chdir(finished.root)
    (run,) = finished.list()["id"]
    options = [run if option == "RUN" else option for option in options]
    if command == "train" and "--dataset" not in options and "--resume" not in options:
        options = ["--dataset", DATA, *options]
    folder = [] if command in SERVING else ["--runs-folder", str(finished.root)]
    assert words in refusal([command, *options, *folder], capsys)
    assert finished.list()["state"].tolist() == ["finished"]
    assert not (finished.root / ".sweeps").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_refused(capsys, command):
    words = [command, *NEEDED.get(command, []), "--nonsense", "1"]
    assert "--nonsense" in refusal(words, capsys)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in (*SERVING, "data")])
def test_a_runs_folder_that_is_a_file_is_refused(tmp_path, capsys, command):
    (tmp_path / "file").touch()
    words = [command, *NEEDED.get(command, []), "--runs-folder", str(tmp_path / "file")]
    assert "is a file; name a folder" in refusal(words, capsys)


@pytest.mark.parametrize("command", WITH_CSV)
def test_a_table_that_cannot_be_written_is_refused_before_computing(tmp_path, capsys, command):
    words = [command, *NEEDED.get(command, []), "--runs-folder", str(tmp_path)]
    assert "there is no folder" in refusal([*words, "--csv", str(tmp_path / "no/t.csv")], capsys)
    assert "is a folder; name a file" in refusal([*words, "--csv", str(tmp_path)], capsys)
    assert list(tmp_path.iterdir()) == []


def test_fewer_negatives_than_asked_for_are_said(finished, capsys):
    (run,) = finished.list()["id"]
    folder = ["--runs-folder", str(finished.root), "--json"]
    assert main(["evaluate", run, "--negatives", "999", *folder]) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["table"]
    assert all("not 999: there are 30 items" in row["ranking"] for row in rows)


def test_a_training_that_diverges_ends_with_status_1_and_says_why(tmp_path, capsys):
    folder = ["--runs-folder", str(tmp_path), "--json"]
    assert (
        main(["train", *QUICK, "--optimiser.learning_rate", "1e30", "--epochs", "5", *folder]) == 1
    )
    out, said = capsys.readouterr()
    assert json.loads(out.splitlines()[-1])["state"] == "diverged"
    assert "diverged: " in said
    assert "learning" in said


@pytest.mark.parametrize("error", [MemoryError("8 TiB"), RuntimeError("can't allocate memory")])
def test_too_little_memory_is_a_sentence(monkeypatch, capsys, error):
    def fails(*_):
        raise error

    monkeypatch.setitem(COMMANDS, "list", (*COMMANDS["list"][:2], fails))
    assert "the memory is not enough" in refusal(["list"], capsys)


@pytest.mark.parametrize(("command", "words"), [("train", "train --resume"), ("list", "not kept")])
def test_interrupted_it_says_how_to_go_on(tmp_path, monkeypatch, capsys, command, words):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.cli.training.run_and_wait", interrupted)
    monkeypatch.setattr("engine.cli.inspect_runs.records", interrupted)
    options = QUICK if command == "train" else []
    assert main([command, *options, "--runs-folder", str(tmp_path)]) == 130
    assert words in capsys.readouterr().err
