"""A sweep trains each run once, whatever happens in between."""

import subprocess
import sys

import pytest

from engine.foundation.errors import JobError
from engine.jobs import jobs
from engine.runs import RunStore
from engine.studies.sweeps import Sweep, sweep_names
from engine.studies.task_table import TASKS
from engine.training.sweep_plan import SweepConfig

DATA = "synthetic:users=40,items=30,interactions=400,image=6,text=4"
QUICK = {"epochs": 3, "batch_size": 128, "device": "cpu", "model.width": 4, "checkpoint_every": 1}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


def config(**changes):
    return SweepConfig(**{"presets": ("plain", "mg"), "settings": QUICK, "n_seeds": 2} | changes)


def test_every_planned_run_is_trained_once_and_compared(store):
    sweep = Sweep.start(store, "both", DATA, config())
    assert sweep.run_missing(here=True) == 4
    assert sweep.run_missing(here=True) == 0
    assert set(sweep.table()["state"]) == {"finished"}
    compared = sweep.compare("recall@20").set_index("strategy")
    assert set(compared.index) == {"plain", "mg"}
    assert compared.loc["mg", "n_pairs"] == 2
    assert sweep_names(store) == ["both"]


class Killed(BaseException):
    """Stands for a process that ends without another word."""


def test_it_goes_on_after_a_kill_without_repeating_a_finished_run(store, monkeypatch):
    sweep = Sweep.start(store, "s", DATA, config())
    real = TASKS["train"]
    calls = []

    def dying(store_, params, progress):
        calls.append(params)
        if len(calls) == 2:
            raise Killed
        return real(store_, params, progress)

    monkeypatch.setitem(TASKS, "train", dying)
    with pytest.raises((Killed, JobError)):
        sweep.run_missing(here=True)
        raise JobError("the second run ended as failed and the sweep went on")
    monkeypatch.setitem(TASKS, "train", real)
    before = sweep.table().set_index("run")["state"].to_dict()
    again = Sweep.start(store, "s", DATA, config())
    again.run_missing(retry=True, here=True)
    table = again.table()
    assert set(table["state"]) == {"finished"}
    assert len(set(table["run"])) == 4
    assert {run for run, state in before.items() if state == "finished"} <= set(table["run"])


def test_a_failed_run_is_listed_with_its_reason_and_retried_on_request_only(store, monkeypatch):
    sweep = Sweep.start(store, "s", DATA, config(presets=("plain",), n_seeds=1))

    def failing(*_):
        raise JobError("no luck today")

    monkeypatch.setitem(TASKS, "train", failing)
    sweep.run_missing(here=True)
    monkeypatch.undo()
    row = sweep.table().iloc[0]
    assert (row["state"], row["reason"]) == ("failed", "no luck today")
    assert sweep.run_missing(here=True) == 0
    assert sweep.run_missing(retry=True, here=True) == 1
    assert sweep.table()["state"].tolist() == ["finished"]


def test_one_name_stands_for_one_sweep(store):
    Sweep.start(store, "s", DATA, config())
    with pytest.raises(JobError, match="other settings"):
        Sweep.start(store, "s", DATA, config(n_seeds=3))
    with pytest.raises(JobError, match="cannot name a sweep"):
        Sweep(store, "../s")


STARTS = """
import sys
from engine.runs import RunStore
from engine.studies.sweeps import Sweep
from engine.training.sweep_plan import SweepConfig
sweep = Sweep.start(RunStore(sys.argv[1]), "s", sys.argv[2], SweepConfig.parse(eval(sys.argv[3])))
print(sweep.run_missing(here=True))
"""


@pytest.mark.processes
def test_started_twice_at_once_each_run_is_made_and_trained_once(store):
    plan = {"n_seeds": 4, "settings": QUICK}
    command = [sys.executable, "-c", STARTS, str(store.root), DATA, repr(plan)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert all(process.wait(170) == 0 for process in both)
    for process in both:
        process.stdout.close()
    assert store.list()["state"].tolist() == ["finished"] * 4
    assert Sweep(store, "s").table()["state"].tolist() == ["finished"] * 4
    attempts = [job.status().state for job in jobs(store)]
    assert attempts.count("finished") == 4
